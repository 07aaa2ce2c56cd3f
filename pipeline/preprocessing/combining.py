"""Combines what the workers report about their shards, in groups: no worker holds the reports of all shards.

A report is split into parts with whole numbers as keys, and the engine brings the parts of each key together, once. The
summaries of about sqrt(n) of n shards have one key; they become one file. The hashes of all images are split by their
first bits into buckets, which become a file each, too. Last, the process that began the run merges the files.

The parts are bytes, with 20 of them for an image: its hash, and its place in its shard. Ids would take several times as
many, and only those of equal images are needed; the last process reads these from the results of their shards.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pipeline.preprocessing import storage
from pipeline.preprocessing.statistics import SplitStatistics
from pipeline.sources import beam_files

COMBINED = "combined"  # folder in the staging folder for the files of this module
_BUCKET_HASHES = 1 << 18  # a bucket is sorted in memory: about 20 MB with so many
_MAX_BUCKETS = 256  # each shard has a part for each bucket
_HASH = np.dtype([("high", ">u8"), ("low", ">u8"), ("place", ">u4")])


@dataclasses.dataclass(frozen=True)
class Grouping:
    """How many parts of one kind come together.

    Attributes:
        summary_groups: Number of files that the summaries of all shards are merged to; their keys begin with 0.
        hash_buckets: Number of files for the hashes of all images; their keys follow.
    """

    summary_groups: int
    hash_buckets: int

    @classmethod
    def of(cls, num_shards: int, num_images: int) -> Grouping:
        """The grouping for a run.

        Args:
            num_shards: Number of its shards.
            num_images: Number of its images.
        """
        buckets = min(_MAX_BUCKETS, math.ceil(num_images / _BUCKET_HASHES))
        return cls(max(1, math.isqrt(num_shards)), max(1, buckets))


def parts(report: tuple[str, dict[str, Any]], grouping: Grouping) -> Iterator[tuple[int, bytes]]:
    """A shard's result as parts with their keys.

    Args:
        report: The shard's name and its result, from `WriteShard`.
        grouping: How many keys there are.
    """
    name, result = report
    summary = {key: result[key] for key in ("split", "shards", "statistics", "rejected", "counters")}
    text = json.dumps({"name": name, **summary}, sort_keys=True)
    # Not `hash`, which differs from process to process.
    yield zlib.crc32(name.encode()) % grouping.summary_groups, text.encode()
    if not result["hashes"]:
        return
    hashes = np.zeros(len(result["hashes"]), _HASH)
    halves = np.frombuffer(bytes.fromhex("".join(digest for digest, _ in result["hashes"])), ">u8").reshape(-1, 2)
    hashes["high"], hashes["low"], hashes["place"] = halves[:, 0], halves[:, 1], np.arange(len(hashes))
    buckets = (hashes["high"] >> np.uint64(32)) * np.uint64(grouping.hash_buckets) >> np.uint64(32)
    for bucket in np.unique(buckets):
        payload = hashes[buckets == bucket].tobytes()
        yield grouping.summary_groups + int(bucket), name.encode() + b"\n" + payload


def write_group(group: tuple[int, Iterable[bytes]], grouping: Grouping, staging: str) -> str:
    """Merges the parts of one key and writes them as a file; returns its path.

    An engine that does it twice, because a worker died, writes the same file again.

    Args:
        group: The key and its parts.
        grouping: How many keys there are.
        staging: The staging folder.
    """
    key, values = group
    if key < grouping.summary_groups:
        name, content = f"summaries-{key:05d}.json", _merged_summaries(values)
    else:
        name, content = f"hashes-{key - grouping.summary_groups:05d}.json", _equal_hashes(values)
    path = beam_files.join(staging, COMBINED, name)
    storage.write_atomically(path, json.dumps(content, sort_keys=True).encode())
    return path


def _merged_summaries(values: Iterable[bytes]) -> dict[str, Any]:
    shards, rejected = [], []
    counters: collections.Counter[str] = collections.Counter()
    statistics: dict[str, SplitStatistics] = {}
    for value in values:
        summary = json.loads(value)
        shards.append(
            {
                "name": summary["name"],
                "split": summary["split"],
                "shards": summary["shards"],
                "num_images": summary["statistics"]["num_images"],
                "num_rejected": len(summary["rejected"]),
            }
        )
        rejected.extend(summary["rejected"])
        counters.update(summary["counters"])
        statistics.setdefault(summary["split"], SplitStatistics()).merge(SplitStatistics(**summary["statistics"]))
    return {
        "shards": shards,
        "rejected": rejected,
        "counters": dict(counters),
        "statistics": {split: merged.to_dict() for split, merged in statistics.items()},
    }


def _equal_hashes(values: Iterable[bytes]) -> dict[str, Any]:
    """The number of hashes, and where equal ones stand: a list of [shard's name, place] for each that is not alone."""
    names, arrays = [], []
    for value in values:
        name, _, payload = value.partition(b"\n")
        names.append(name.decode())
        arrays.append(np.frombuffer(payload, _HASH))
    hashes = np.concatenate(arrays)
    owners = np.repeat(np.arange(len(arrays)), [len(array) for array in arrays])
    order = np.lexsort((hashes["low"], hashes["high"]))
    ordered = hashes[["high", "low"]][order]
    # Where a run of equal hashes begins; a run ends where the next begins.
    begins = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(order)]])
    groups = []
    for start in np.flatnonzero(np.diff(begins) > 1):
        equal = order[begins[start] : begins[start + 1]]
        groups.append([[names[owners[index]], int(hashes["place"][index])] for index in equal])
    return {"num_hashes": len(hashes), "equal": groups}


class Combined:
    """The files of `write_group` merged, for the process that began the run.

    Args:
        staging: The staging folder.

    Attributes:
        shards: For each shard its name, split, shards by resolution, and numbers of images stored and rejected.
        rejected: The rejected images.
        counters: Numbers of images by what happened to them.
        statistics: `SplitStatistics` by the split's name.
        num_hashes: How many images' hashes were compared.
        duplicates: Groups of images that are equal byte for byte, each {"hash": ..., "images": [(split, id), ...]}.
    """

    def __init__(self, staging: str):
        self.shards: list[dict[str, Any]] = []
        self.rejected: list[dict[str, str]] = []
        self.counters: collections.Counter[str] = collections.Counter()
        self.statistics: dict[str, SplitStatistics] = {}
        self.num_hashes = 0
        equal: list[list[list[Any]]] = []
        folder = beam_files.join(staging, COMBINED)
        for name in storage.entries(folder):
            if not name.endswith(".json"):
                continue  # what a worker that was killed has left
            content = json.loads(beam_files.read_text(beam_files.join(folder, name)))
            if name.startswith("hashes-"):
                self.num_hashes += content["num_hashes"]
                equal.extend(content["equal"])
            else:
                self._add_summaries(content)
        self.duplicates = _with_ids(equal, staging)

    def _add_summaries(self, content: dict[str, Any]) -> None:
        self.shards.extend(content["shards"])
        self.rejected.extend(content["rejected"])
        self.counters.update(content["counters"])
        for split, values in content["statistics"].items():
            self.statistics.setdefault(split, SplitStatistics()).merge(SplitStatistics(**values))


def _with_ids(equal: list[list[list[Any]]], staging: str) -> list[dict[str, Any]]:
    """Reads the ids of equal images from the results of their shards, each of which is read once."""
    images: list[list[tuple[str, str]]] = [[] for _ in equal]
    digests = [""] * len(equal)
    wanted: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
    for number, group in enumerate(equal):
        for shard, place in group:
            wanted[shard].append((number, place))
    for shard, places in sorted(wanted.items()):
        result = json.loads(beam_files.read_text(beam_files.join(staging, "results", f"{shard}.json")))
        for number, place in places:
            digests[number], example_id = result["hashes"][place]
            images[number].append((result["split"], example_id))
    groups = zip(digests, images, strict=True)
    return [{"hash": digest, "images": sorted(of_digest)} for digest, of_digest in sorted(groups)]
