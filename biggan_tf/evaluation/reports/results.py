"""The result of an evaluation on disk and on the screen, always together with the protocol of its numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from biggan_tf import __version__, files
from biggan_tf.evaluation.protocol import (
    ComputationProtocol,
    MetricProtocol,
    PathProtocol,
    metric_protocol_from_dict,
    require_equal,
)
from biggan_tf.presets.stated_protocol import shortened, stated

# An evaluation of enlargements also measures two enlargements without a network, and the large images themselves. The
# names of those numbers begin with one of these words.
WITHOUT_NETWORK = ("bicubic", "nearest", "truth")


@dataclasses.dataclass(frozen=True)
class Result:
    """Metrics and the protocol by which they were measured.

    Attributes:
        metrics: The numbers by their names, such as "fid".
        protocol: Everything that decides them, apart from the generator.
        source: What was evaluated: a run's folder, or a file of weights or of images.
        images_seen: How many real images the generator was trained on; 0: unknown.
        step: The step of its checkpoint; 0: unknown.
        version: The version of this package that measured.
        remarks: What a reader of the numbers must know about them, a sentence each.
    """

    metrics: dict[str, float]
    protocol: MetricProtocol
    source: str = ""
    images_seen: int = 0
    step: int = 0
    version: str = __version__
    remarks: tuple[str, ...] = ()


def save(result: Result, path: str | Path) -> None:
    """Writes a JSON file, which appears complete or not at all."""
    files.write_json(path, dataclasses.asdict(result))


def load(path: str | Path) -> Result:
    """Reads what `save` wrote."""
    try:
        values = files.read_json(path)
        protocol = metric_protocol_from_dict(values["protocol"])
        if "computation" not in values["protocol"]:
            protocol = dataclasses.replace(protocol, computation=_of_version_0_1(values["metrics"]))
        return Result(
            dict(values["metrics"]),
            protocol,
            values["source"],
            values["images_seen"],
            values.get("step", 0),
            values.get("version", ""),
            tuple(values.get("remarks", ())),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} must be a result of biggan_tf.evaluate ({error})") from error


def file_name(result: Result) -> str:
    """The name of a result's file.

    Another source, step or protocol and other metrics have another name, so that no result is lost.
    """
    identity = [dataclasses.asdict(result.protocol), result.source, sorted(result.metrics)]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    step = f"step-{result.step:08d}-" if result.step else ""
    return f"result-{step}{result.protocol.features.features}-{digest[:8]}.json"


def keep(result: Result, folder: str | Path) -> str:
    """Writes a result under its own name and as `result.json`, the newest, and adds a line to `history.jsonl`.

    Args:
        result: What was measured.
        folder: The folder of the results. All results in it stay, also one of the same name with other numbers, as
            after a run was trained anew.

    Returns:
        The path of the result's own file.
    """
    content = json.dumps(dataclasses.asdict(result))
    path = unused(files.join(folder, file_name(result)), lambda path: json.dumps(files.read_json(path)) == content)
    for name in (path, files.join(folder, "result.json")):
        save(result, name)
    line = {"time": time.time(), "file": os.path.basename(path), "source": result.source, "step": result.step}
    files.append_line(files.join(folder, "history.jsonl"), json.dumps(line | {"metrics": result.metrics}))
    return path


def unused(path: str, is_the_same: Callable[[str], bool]) -> str:
    """The path, or where a file of another content lies there, the same with "-2", "-3" ... before its suffix.

    Args:
        path: Where a file is about to be written.
        is_the_same: Whether the file at a path has the content that is about to be written.
    """
    stem, suffix = os.path.splitext(path)
    for number in itertools.count(2):
        if not files.exists(path) or is_the_same(path):
            break
        path = f"{stem}-{number}{suffix}"
    return path


def keep_sweep(kept: Sequence[Result], paths: Sequence[str], rows: str, plot: bytes, folder: str) -> str:
    """Writes the table and the plot of a sweep under names of their own, and as truncation.csv and .png, the newest.

    Args:
        kept: The results of the sweep.
        paths: Their own files, from `keep`.
        rows: The table as CSV.
        plot: The plot as PNG.
        folder: The folder of the results.

    Returns:
        The path of the table's own file.
    """
    digest = hashlib.sha256(" ".join(os.path.basename(path) for path in paths).encode()).hexdigest()
    step = f"step-{kept[0].step:08d}-" if kept[0].step else ""
    name = f"truncation-{step}{kept[0].protocol.features.features}-{digest[:8]}"
    path = unused(files.join(folder, f"{name}.csv"), lambda path: files.read_text(path) == rows)
    for table in (path, files.join(folder, "truncation.csv")):
        files.write_text(table, rows)
    for picture in (f"{os.path.splitext(path)[0]}.png", files.join(folder, "truncation.png")):
        files.write_bytes(picture, plot)
    return path


def require_comparable(new: MetricProtocol, old: MetricProtocol, ignoring: tuple[str, ...] = ()) -> None:
    """Refuses protocols whose numbers cannot be compared; arguments and error are those of `require_equal`.

    Where one of the two has no path lengths, or has not measured them yet, there is nothing that their part decides.
    """
    fields = [f"paths.{field.name}" for field in dataclasses.fields(PathProtocol)]
    both = PathProtocol() not in (new.paths, old.paths)
    require_equal(new, old, ignoring if both else (*ignoring, *fields))


def compare(new: Result, old: Result) -> dict[str, float]:
    """How much each metric changed from `old` to `new`; an error where the protocols differ."""
    require_comparable(new.protocol, old.protocol)
    return {name: value - old.metrics[name] for name, value in new.metrics.items() if name in old.metrics}


def table(result: Result, changes: dict[str, float] | None = None) -> str:
    """The numbers for a person to read, with the protocol below.

    Args:
        result: What to show.
        changes: What `compare` returned, shown in parentheses; None: nothing to compare with.
    """
    if result.protocol.fidelity.enlargement:
        lines = _table_of_enlargements(result.metrics, changes or {})
    else:
        width = max(len(name) for name in result.metrics)
        lines = [f"{name:<{width}}  {value:.6g}{_change(name, changes)}" for name, value in result.metrics.items()]
    lines += ["", *result.remarks] if result.remarks else []
    lines.append("")
    for part, values in stated(dataclasses.asdict(result.protocol)).items():
        lines.append(f"{part}: " + ", ".join(f"{key} {shortened(value)}" for key, value in values.items()))
    return "\n".join(lines)


def _change(name: str, changes: Mapping[str, float] | None) -> str:
    return f"  ({changes[name]:+.5g})" if changes and name in changes else ""


def _table_of_enlargements(values: Mapping[str, float], changes: Mapping[str, float]) -> list[str]:
    """A row for each metric of the generator, with those of the enlargements without a network next to it."""
    own = [name for name in values if not name.startswith(tuple(f"{other}_" for other in WITHOUT_NETWORK))]
    width = max(map(len, own))
    lines = [f"{'':<{width}}" + "".join(f"  {name:>10}" for name in ("generator", *WITHOUT_NETWORK))]
    for name in own:
        cells = [values.get(key) for key in (name, *(f"{other}_{name}" for other in WITHOUT_NETWORK))]
        row = "".join(f"  {'' if cell is None else format(cell, '.5g'):>10}" for cell in cells)
        lines.append(f"{name:<{width}}{row.rstrip()}{_change(name, changes)}")
    return lines


def write_tensorboard(result: Result, folder: str | Path) -> None:
    """Writes a scalar for each metric; the horizontal axis is the number of real images seen in training."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for name, value in result.metrics.items():
            tf.summary.scalar(f"evaluation/{name}", value, step=result.images_seen)
        tf.summary.text("evaluation/protocol", json.dumps(dataclasses.asdict(result.protocol)), result.images_seen)
    writer.close()


def _of_version_0_1(names: Iterable[str]) -> ComputationProtocol:
    """How version 0.1, which did not write it down, computed the metrics of a result."""
    names = set(names)
    kid, prdc, score = "kid" in names, "coverage" in names, "inception_score" in names
    keeps = kid or prdc or score or any(name.startswith(("intra_", "accuracy")) for name in names)
    return ComputationProtocol(
        kept_features=50_000 if keeps else 0,
        kernel_subsets=100 if kid else 0,
        kernel_subset_size=1000 if kid else 0,
        nearest_k=5 if prdc else 0,
        score_splits=10 if score else 0,
        score_logits="logits" if score else "",
        path_pairs=1000 if any(name.startswith("ppl_") for name in names) else 0,
    )
