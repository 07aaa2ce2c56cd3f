"""Which changes of the configuration a run can be continued with."""

from __future__ import annotations

import logging

from biggan_tf import config as config_lib
from biggan_tf import precision
from biggan_tf.training.checkpoint_files import CheckpointError, Record

_LOGGER = logging.getLogger(__name__)

# The weights, or what they mean, would be others.
_FIXED = ("model.", "training.generator.beta_1", "training.discriminator.beta_1")
_FREE_OF_MODEL = (
    "model.policy",
    "model.fused_resampling",
    "model.initializer",
    "model.batch_norm_momentum",
    "model.batch_norm_group_size",
)
# The position in the data would point elsewhere.
_DATA = ("data.", "training.seed", "training.batch_size", "training.accumulation_steps")


def check(record: Record, config: config_lib.Config, num_workers: int) -> bool:
    """Shows what has changed since a checkpoint and refuses what cannot be continued.

    Args:
        record: Of the checkpoint.
        config: Of this run.
        num_workers: Of this run.

    Returns:
        Whether the position in the data still holds.

    Raises:
        CheckpointError: If the run cannot be continued with this configuration.
    """
    changes = config_lib.difference(record.resolved_config(), config)
    if config.model.policy == precision.AUTO:
        changes.pop("model.policy", None)  # it goes on with the checkpoint's
    lines = {path: f"{path}: {old!r} -> {new!r}" for path, (old, new) in changes.items()}
    policies = {old for path, (old, _) in changes.items() if path == "model.policy"} | {config.model.policy}
    refused = [path for path in changes if path.startswith(_FIXED) and path not in _FREE_OF_MODEL]
    if "model.policy" in changes and policies & {"mixed_float16", "float64"}:
        refused.append("model.policy")  # the loss scale has variables of its own; those of float64 are wider
    if refused:
        raise CheckpointError(
            f"A run must be continued with the model that it began with. Received, at step {record.step}:\n  - "
            + "\n  - ".join(lines[path] for path in refused)
            + "\nRestore these values, or give another --workdir."
        )
    if changes:
        _LOGGER.warning("The configuration has changed since step %d: %s", record.step, "; ".join(lines.values()))
    moved = [path for path in changes if path.startswith(_DATA)]
    if num_workers != record.num_workers:
        moved.append(f"workers: {record.num_workers} -> {num_workers}")
    if moved:
        _LOGGER.warning("The data begins anew, because of %s", ", ".join(moved))
    return not moved
