"""Classes by index, synset or name, as people write them on a command line."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib.resources


class ClassNameError(ValueError):
    """A class that no model has, with the nearest ones that it does have."""


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """The classes of a model, in the order of its labels.

    Attributes:
        synsets: The data set's own names: folders, or ImageNet's synset ids.
        names: What people call them; the same as `synsets` where nothing better is known.
    """

    synsets: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, label_names: tuple[str, ...], num_classes: int) -> ClassNames:
        """The names for a data set's label names; for none, ImageNet's 1000 or the numbers."""
        known = dict(zip(imagenet().synsets, imagenet().names, strict=True))
        if not label_names:
            label_names = imagenet().synsets if num_classes == 1000 else tuple(str(i) for i in range(num_classes))
        return cls(tuple(label_names), tuple(known.get(name, name) for name in label_names))

    def parse(self, text: str) -> list[int]:
        """Labels of a list such as "golden retriever,n02123045,7"; a class has no comma in its name."""
        return [self.label(part.strip()) for part in text.split(",") if part.strip()]

    def label(self, text: str) -> int:
        """The label of one class."""
        if text in self.synsets:
            return self.synsets.index(text)
        wanted = _plain(text)
        found = [label for label, name in enumerate(self.names) if _plain(name) == wanted]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise ClassNameError(f"{text!r} names {len(found)} classes; say which by its index: {found}")
        if text.isdecimal():
            if int(text) < len(self.names):
                return int(text)
            raise ClassNameError(f"a class index must be below {len(self.names)}. Received: {text}")
        near = difflib.get_close_matches(wanted, [_plain(name) for name in (*self.names, *self.synsets)], 5, 0.5)
        near += [_plain(name) for name in self.names if wanted in _plain(name).split()][:5]
        hint = f" Did you mean {', '.join(dict.fromkeys(near))}?" if near else ""
        raise ClassNameError(f"there is no class {text!r}.{hint} Give an index, a synset or a name.")


@functools.cache
def imagenet() -> ClassNames:
    """The 1000 classes of ImageNet-1k."""
    resource = importlib.resources.files("biggan_tf.evaluation") / "imagenet_classes.txt"
    pairs = [line.split(" ", 1) for line in resource.read_text(encoding="utf-8").splitlines()]
    return ClassNames(tuple(synset for synset, _ in pairs), tuple(name for _, name in pairs))


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
