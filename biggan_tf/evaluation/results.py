"""A result on disk and on the screen: the numbers never leave their protocol."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from biggan_tf.evaluation import atomic_files
from biggan_tf.evaluation.protocol import MetricProtocol, metric_protocol_from_dict, require_equal


@dataclasses.dataclass(frozen=True)
class Result:
    """Metrics, and how they were made.

    Attributes:
        metrics: By name.
        protocol: Everything beside the generator that decides them.
        source: What was evaluated.
        images_seen: In its training; 0: unknown.
    """

    metrics: dict[str, float]
    protocol: MetricProtocol
    source: str = ""
    images_seen: int = 0


def save(result: Result, path: str | Path) -> None:
    """Writes JSON, whole or not at all."""
    atomic_files.write_text(path, json.dumps(dataclasses.asdict(result), indent=1) + "\n")


def load(path: str | Path) -> Result:
    """Reads what `save` wrote."""
    try:
        values: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        protocol = metric_protocol_from_dict(values["protocol"])
        return Result(dict(values["metrics"]), protocol, values["source"], values["images_seen"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a result of biggan_tf.evaluate ({error})") from error


def compare(new: Result, old: Result) -> dict[str, float]:
    """How far each metric moved; refused where the protocols differ."""
    require_equal(new.protocol, old.protocol)
    return {name: value - old.metrics[name] for name, value in new.metrics.items() if name in old.metrics}


def table(result: Result, changes: dict[str, float] | None = None) -> str:
    """The numbers for a person, with the protocol below."""
    width = max(len(name) for name in result.metrics)
    lines = []
    for name, value in result.metrics.items():
        change = f"  ({changes[name]:+.5g})" if changes and name in changes else ""
        lines.append(f"{name:<{width}}  {value:.6g}{change}")
    lines.append("")
    for part, values in dataclasses.asdict(result.protocol).items():
        lines.append(f"{part}: " + ", ".join(f"{key} {_short(value)}" for key, value in values.items()))
    return "\n".join(lines)


def write_tensorboard(result: Result, folder: str | Path) -> None:
    """One scalar a metric, over the images seen in training."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for name, value in result.metrics.items():
            tf.summary.scalar(f"evaluation/{name}", value, step=result.images_seen)
        tf.summary.text("evaluation/protocol", json.dumps(dataclasses.asdict(result.protocol)), result.images_seen)
    writer.close()


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "..." if len(text) == 64 else text
