"""Checks an input before any image is read: what it holds, and whether that can be what the user meant.

An --input that is one folder too high makes a data set of one class. Training on it would raise no error and could cost
weeks, so the job stops here instead.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from pipeline.errors import PipelineError
from pipeline.preprocessing.settings import Allowances

_TRAIN = "train"
_SHOWN = 6


@dataclasses.dataclass
class Census:
    """The number of images of each class in each split.

    Attributes:
        counts: {split: {class name: number of images}}.
        examples: {split: id of its first image}, to show in error texts what was read.
        left_out: {name: number} of what the source left out on purpose, such as hidden files.
    """

    counts: dict[str, collections.Counter[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    examples: dict[str, str] = dataclasses.field(default_factory=dict)
    left_out: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def add(self, split: str, class_name: str, example_id: str) -> None:
        """Counts one image."""
        self.counts[split][class_name] += 1
        self.examples.setdefault(split, example_id)

    @property
    def class_names(self) -> tuple[str, ...]:
        """All class names, sorted; the position is the label."""
        return tuple(sorted(set().union(*self.counts.values())))

    @property
    def num_images(self) -> int:
        return sum(sum(counts.values()) for counts in self.counts.values())

    def layout(self) -> str:
        """The input as it was understood, as text: each split with its classes, and an example."""
        lines = []
        for split, counts in sorted(self.counts.items()):
            names = sorted(counts)
            shown = ", ".join(f"{name} ({counts[name]})" for name in names[:_SHOWN]) + (
                ", ..." if len(names) > _SHOWN else ""
            )
            lines.append(f"  {split}: {sum(counts.values())} images in {len(names)} classes: {shown}")
            lines.append(f"    for example {self.examples[split]}")
        if left_out := [f"{name}: {count}" for name, count in sorted(self.left_out.items()) if count]:
            lines.append(f"  {', '.join(left_out)}")
        return "\n".join(lines) or "  no images"


def check(
    census: Census,
    declared: frozenset[str],
    label_file: tuple[str, ...] | None,
    allowances: Allowances,
    expected_layout: str,
) -> tuple[str, ...]:
    """Checks the input; returns the class names, whose positions are the labels.

    Args:
        census: The number of images of each class in each split.
        declared: Classes that the input names, e.g. by a folder, those without images among them.
        label_file: The class names in the file `--labels`; None: there is no such file.
        allowances: Which of the problems are accepted.
        expected_layout: What an input of this source looks like, for the error text.

    Raises:
        PipelineError: With every problem, the layout seen and the layout expected.
    """
    empty = sorted(declared - set(census.class_names))
    names = tuple(sorted(set(census.class_names) | set(empty))) if allowances.empty_classes else census.class_names
    problems = []
    if not census.num_images:
        problems.append("There must be images; none was found.")
    elif len(names) == 1 and not allowances.single_class:
        problems.append(
            f"There must be several classes; there is only one, {names[0]!r}. If its folder holds the class folders, "
            "--input is one level too high. Allow it with --allow_single_class."
        )
    if empty and not allowances.empty_classes and census.num_images:
        problems.append(
            f"Every class must have images; without any {_listed(empty)}. Allow it with --allow_empty_classes."
        )
    if not allowances.class_in_one_split:
        problems.extend(_one_split_problems(census.counts))
    if label_file is not None and not allowances.label_mismatch:
        problems.extend(_label_problems(names, label_file))
    if problems:
        raise PipelineError(
            "\n".join(problems) + f"\nLayout seen:\n{census.layout()}\nLayout expected:\n{expected_layout}"
        )
    return names


def _one_split_problems(counts: Mapping[str, collections.Counter[str]]) -> Iterable[str]:
    for split in sorted(set(counts) - {_TRAIN}):
        if _TRAIN not in counts:
            continue
        for here, there in ((split, _TRAIN), (_TRAIN, split)):
            only = sorted(set(counts[here]) - set(counts[there]))
            if only:
                yield (
                    f"Every class must be in all splits; in {here} but not in {there} {_listed(only)}. "
                    "Allow it with --allow_class_in_one_split."
                )


def _label_problems(names: tuple[str, ...], label_file: tuple[str, ...]) -> Iterable[str]:
    if set(names) == set(label_file):
        return
    missing, unknown = sorted(set(label_file) - set(names)), sorted(set(names) - set(label_file))
    parts = [f"{len(names)} classes in the input, {len(label_file)} in the file"]
    if missing:
        parts.append(f"only in the file {_listed(missing)}")
    if unknown:
        parts.append(f"only in the input {_listed(unknown)}")
    yield f"The classes must be those of --labels; {'; '.join(parts)}. Allow it with --allow_label_mismatch."


def _listed(names: list[str]) -> str:
    verb = "is" if len(names) == 1 else "are"
    if len(names) == 1:
        return f"{verb} {names[0]!r}"
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{verb} {shown}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
