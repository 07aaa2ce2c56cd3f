"""Refuses data that does not fit the configuration, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from biggan_tf import config as config_lib
from biggan_tf.data import manifest as manifest_lib


def check(manifest: manifest_lib.Manifest, config: config_lib.Config, split: str) -> None:
    """Raises DataError with everything in which data does not fit a configuration.

    Args:
        manifest: The manifest of the data.
        config: The configuration of the run.
        split: The split that is to be read.
    """
    problems = []
    if manifest.resolution != config.model.resolution:
        problems.append(
            f"model.resolution is {config.model.resolution}, the images have {manifest.resolution}. Name the folder of "
            f"that resolution, or make it with --resolutions={config.model.resolution}."
        )
    # An unconditional model reads any data and leaves the labels alone.
    if config.model.num_classes and manifest.num_classes != config.model.num_classes:
        problems.append(
            f"model.num_classes is {config.model.num_classes}, the data has {manifest.num_classes} classes "
            f"({_abbreviated(manifest.label_names)}). Set model.num_classes={manifest.num_classes} or name other data."
        )
    wanted = config.data.preprocessing
    if wanted and not crop_matches(wanted, manifest.preprocessing):
        problems.append(
            f"data.preprocessing is {wanted!r}, the data was made with {manifest.preprocessing!r}. FIDs over different "
            "crops cannot be compared: make the data again with that --recipe, or change data.preprocessing."
        )
    if split not in manifest.splits:
        problems.append(f"data.split is {split!r}, the data has {', '.join(sorted(manifest.splits)) or 'no split'}.")
    if problems:
        raise manifest_lib.DataError(
            f"The data in {config.data.path} does not fit the configuration:\n  - " + "\n  - ".join(problems)
        )


def check_label_names(manifest: manifest_lib.Manifest, expected: Sequence[str], whose: str) -> None:
    """Raises DataError if the labels of data mean other classes than those of a model.

    Args:
        manifest: The manifest of the data.
        expected: The names of the model's classes, by label.
        whose: What the error calls the model, such as "the checkpoint".
    """
    if tuple(expected) == manifest.label_names:
        return
    pairs = zip(manifest.label_names, expected, strict=False)
    first = next((index for index, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
    difference = (
        f"{len(manifest.label_names)} classes against {len(expected)}"
        if first is None
        else f"label {first} is {manifest.label_names[first]!r} in the data and {expected[first]!r} in {whose}"
    )
    raise manifest_lib.DataError(
        f"The data's label map must equal that of {whose}; {difference}. "
        "A model that goes on with other labels learns every class anew: use the data it began with."
    )


def crop_matches(wanted: str, made_with: str) -> bool:
    """Whether a name, with or without a version, is that of the crop that data was made with.

    Args:
        wanted: Such as "biggan" or "biggan-1".
        made_with: Such as "biggan-1", from the manifest.
    """
    return wanted in (made_with, made_with.rsplit("-", 1)[0])


def _abbreviated(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, ... {names[-1]}"
