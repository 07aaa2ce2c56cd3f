"""With which changes of its configuration a run can go on from a checkpoint, and what they mean for the data."""

from __future__ import annotations

import logging

from biggan_tf import config as config_lib
from biggan_tf import precision
from biggan_tf.training.checkpoints.files import CheckpointError, CheckpointSummary

_LOGGER = logging.getLogger(__name__)

# With another value of these the variables of the checkpoint would not fit, or would mean something else.
_FIXED = ("model.", "classifier.", "initial.frozen", "training.generator.beta_1", "training.discriminator.beta_1")
# With another value of these the saved number of batches would lead to other images.
_DATA = ("data.", "training.growth.", "training.seed", "training.batch_size", "training.accumulation_steps")


def refuse_another_model(summary: CheckpointSummary, config: config_lib.Config) -> None:
    """Raises CheckpointError if the variables of a checkpoint do not fit the configuration, and names its fields.

    Args:
        summary: The summary of the checkpoint.
        config: The configuration that the run is to go on with.
    """
    changes = _changes(summary, config)
    policies = {old for path, (old, _) in changes.items() if path == "model.policy"} | {config.model.policy}
    free = {f"model.{name}" for name in config.model.free_to_change} | {"classifier.path"}
    free |= {f"model.condition.{name}" for name in config.model.condition.free_to_change}
    refused = [path for path in changes if path.startswith(_FIXED) and path not in free]
    if "model.policy" in changes and policies & {"mixed_float16", "float64"}:
        refused.append("model.policy")  # the loss scale has variables of its own; those of float64 are wider
    if refused:
        raise CheckpointError(
            f"A run must be continued with the model that it began with. Received, at step {summary.step}:\n  - "
            + "\n  - ".join(_line(path, changes[path]) for path in refused)
            + "\nRestore these values, or give another --workdir."
        )


def log_changes(summary: CheckpointSummary, config: config_lib.Config) -> None:
    """Logs a warning that lists what has changed in the configuration since a checkpoint; nothing if nothing has.

    Args:
        summary: The summary of the checkpoint.
        config: The configuration that the run goes on with.
    """
    lines = [_line(path, values) for path, values in _changes(summary, config).items()]
    if lines:
        _LOGGER.warning("The configuration has changed since step %d: %s", summary.step, "; ".join(lines))


def changes_of_data(
    summary: CheckpointSummary, config: config_lib.Config, num_workers: int, data_fingerprint: str = ""
) -> list[str]:
    """Why the position in the data that a checkpoint holds is of no use; empty if reading can go on from it.

    Args:
        summary: The summary of the checkpoint.
        config: The configuration that the run goes on with.
        num_workers: How many processes read the data from now on.
        data_fingerprint: The fingerprint in the manifest of the data that is read from now on; "": unknown. Data with
            that of the checkpoint may lie at another path, and data with another one counts as changed at the same.
    """
    changes = [path for path in _changes(summary, config) if path.startswith(_DATA)]
    before = summary.data_fingerprint
    if before and before == data_fingerprint:
        changes = [path for path in changes if path != "data.path"]
    elif before and data_fingerprint:
        changes.append(f"the data's fingerprint: {before[:16]} -> {data_fingerprint[:16]}")
    if num_workers != summary.num_workers:
        changes.append(f"workers: {summary.num_workers} -> {num_workers}")
    return changes


def _changes(summary: CheckpointSummary, config: config_lib.Config) -> dict[str, tuple[object, object]]:
    changes = config_lib.difference(summary.resolved_config(), config)
    if config.model.policy == precision.AUTO:
        changes.pop("model.policy", None)  # the run goes on with the checkpoint's, see `run_precision.decide`
    return changes


def _line(path: str, values: tuple[object, object]) -> str:
    return f"{path}: {values[0]!r} -> {values[1]!r}"
