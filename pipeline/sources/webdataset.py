"""Lists the images in shards of WebDataset: tar archives in which the files of a sample share a name."""

from __future__ import annotations

import collections
import json
import posixpath
from collections.abc import Iterator
from typing import IO

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names, tar_archive
from pipeline.sources.folders import split_named_in
from pipeline.sources.item import Item
from pipeline.sources.labels import class_of, names_in
from pipeline.sources.local_tree import HIDDEN_FILES
from pipeline.sources.tar_archive import Member

_IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "gif")
_LABELS = ("cls", "label", "class", "json")
_FIELDS = ("label", "cls", "class", "class_name")  # of a .json, the first that is there
_NAMES_FILES = ("classnames.txt", "classes.txt", "labels.txt")
_MAX_LABEL_BYTES = 1 << 20


class WebDataset:
    """The images of tar shards, which are read in place. A sample is an image and a file with its class.

    Args:
        root: The folder of the shards, `--input`. A shard's split is the first word of its path that names one, such as
            in val/000.tar or in cifar-val-000.tar; "train" where none does.
    """

    expected_layout = """  INPUT/*.tar or INPUT/<split>/*.tar, uncompressed, with KEY.jpg (or png,
  webp, bmp, gif) and KEY.cls, a number or a name, or KEY.json with a "label"; INPUT/classnames.txt, if there is one,
  has the names of the numbers, a line each"""

    def __init__(self, root: str):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        self.left_out: collections.Counter[str] = collections.Counter()
        self._shards = [path for path, _ in beam_files.walk(root) if path.endswith(".tar")]
        if not self._shards:
            raise PipelineError(f"{root} must hold .tar shards. Expected layout:\n{self.expected_layout}")
        file = next((name for name in _NAMES_FILES if beam_files.exists(beam_files.join(root, name))), None)
        self._names = names_in(beam_files.join(root, file)) if file else ()

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        for shard in self._shards:
            path = beam_files.join(self.root, *shard.split("/"))
            split = split_named_in(shard)
            with beam_files.open_input(path) as file:
                for key, sample in _samples(file, path, self.left_out):
                    yield self._item(file, path, f"{split}/{names.to_text(shard)}", key, sample)

    def declared_classes(self) -> frozenset[str]:
        return frozenset(self._names)

    def _item(self, file: IO[bytes], path: str, prefix: str, key: str, sample: dict[str, Member]) -> Item:
        images = [suffix for suffix in sample if suffix in _IMAGES]
        labels = [suffix for suffix in _LABELS if suffix in sample]
        if len(images) != 1 or not labels:
            raise PipelineError(
                f"{path}: the sample {key} must have one image and one class. Received: files with the endings "
                f"{', '.join(sorted(sample)) or 'none'}. Expected layout:\n{self.expected_layout}"
            )
        self.left_out[beam_files.NOT_IMAGES] += len(sample) - 2
        class_name = class_of(_label(file, path, sample[labels[0]], labels[0]), self._names, f"{path}: {key}")
        member = sample[images[0]]
        example_id, split = f"{prefix}/{member.name}", prefix.partition("/")[0]
        return tar_archive.item_of_member(example_id, split, class_name, path, member)


def _samples(file: IO[bytes], path: str, left_out: collections.Counter[str]) -> Iterator[tuple[str, dict[str, Member]]]:
    """Each sample's key, and its members by their endings. The members of a sample follow one another.

    Args:
        file: The shard, opened to read.
        path: Its path.
        left_out: Where the members that belong to no sample are counted.
    """
    key = ""
    sample: dict[str, Member] = {}
    seen: set[str] = set()
    for member in tar_archive.members(file, path):
        if member.kind == tar_archive.FOLDER:
            continue
        folder, base = posixpath.split(member.name)
        stem, _, suffix = base.partition(".")
        if not stem or not suffix:  # a hidden file, or one of no sample
            left_out[beam_files.NOT_IMAGES if stem else HIDDEN_FILES] += 1
            continue
        this = posixpath.join(folder, stem)
        if this != key:
            if sample:
                yield key, sample
            if this in seen:
                raise PipelineError(f"{path}: the files of the sample {this} must follow one another; pack them again.")
            seen.add(this)
            key, sample = this, {}
        if other := sample.get(suffix.lower()):
            raise PipelineError(
                f"{path}: a sample must have one file of an ending, in small letters or capitals. Received: "
                f"{other.name} and {member.name}; leave one out, or name it otherwise."
            )
        sample[suffix.lower()] = member
    if sample:
        yield key, sample


def _label(file: IO[bytes], path: str, member: Member, suffix: str) -> object:
    """What a sample's file says of its class."""
    if member.kind != tar_archive.FILE or member.size > _MAX_LABEL_BYTES:
        raise PipelineError(
            f"{path}: {member.name} must be a small file with a class. Received: {member.size:,} bytes."
        )
    file.seek(member.offset)
    try:
        text = file.read(member.size).decode().strip()
        if suffix != "json":
            return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PipelineError(f"{path}: {member.name} must hold a class: {str(error)[:200]}.") from error
    fields = [field for field in _FIELDS if isinstance(values, dict) and field in values]
    if not fields:
        raise PipelineError(f"{path}: {member.name} must have one of {', '.join(_FIELDS)}. Received: {text[:80]!r}.")
    return values[fields[0]]
