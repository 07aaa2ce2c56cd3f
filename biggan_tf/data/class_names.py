"""Classes by index, synset or name, as people write them on a command line.

A synset is the identifier of a class in WordNet, such as "n02123045" for the tabby cat. ImageNet's folders have these
names.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib.resources
import re

_HYPHEN = re.compile(r"(?<=\S)-|-(?!\d)")


class ClassNameError(ValueError):
    """A class that the model does not have; the message names the most similar ones that it has."""


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """The classes of a model, in the order of its labels.

    Attributes:
        synsets: The names of the data set's folders; for ImageNet these are synsets.
        names: What people call the classes; the same as `synsets` where there is no better name.
    """

    synsets: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, label_names: tuple[str, ...], num_classes: int) -> ClassNames:
        """The classes of a data set or a model.

        Args:
            label_names: The names of the data set's folders, by label. (): unknown; 1000 classes are then taken for
                ImageNet's, and others are called by their numbers.
            num_classes: How many classes the model has; 0: none, whatever the data set has.
        """
        if not num_classes:
            return cls((), ())
        name_of_synset = dict(zip(imagenet().synsets, imagenet().names, strict=True))
        if not label_names:
            label_names = imagenet().synsets if num_classes == 1000 else tuple(str(i) for i in range(num_classes))
        return cls(tuple(label_names), tuple(name_of_synset.get(name, name) for name in label_names))

    def parse(self, text: str) -> list[int]:
        """The labels of a list of classes such as "golden retriever,n02123045,7"; a name must not contain a comma."""
        return [self.label(part.strip()) for part in text.split(",") if part.strip()]

    def label(self, text: str) -> int:
        """The label of one class, given by its index, synset or name.

        Raises:
            ClassNameError: There is no such class, or several have this name.
        """
        if not self.names:
            raise ClassNameError(f"a model without classes draws none by its class. Received: {text!r}; name no class")
        if text in self.synsets:
            return self.synsets.index(text)
        wanted = _plain(text)
        labels = [label for label, name in enumerate(self.names) if _plain(name) == wanted]
        if len(labels) == 1:
            return labels[0]
        if len(labels) > 1:
            raise ClassNameError(f"{text!r} names {len(labels)} classes; say which by its index: {labels}")
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
    resource = importlib.resources.files("biggan_tf.data") / "imagenet_classes.txt"
    pairs = [line.split(" ", 1) for line in resource.read_text(encoding="utf-8").splitlines()]
    return ClassNames(tuple(synset for synset, _ in pairs), tuple(name for _, name in pairs))


def _plain(name: str) -> str:
    """Lower case, with single blanks between words. A hyphen joins words, unless it is the minus of "-1"."""
    return " ".join(_HYPHEN.sub(" ", name.lower().replace("_", " ")).split())
