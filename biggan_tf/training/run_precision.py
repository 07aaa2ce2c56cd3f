"""The dtype policy of a run: what "auto" resolves to is decided once, and kept wherever the run goes on."""

from __future__ import annotations

import dataclasses
import logging
from typing import NamedTuple

from biggan_tf import precision
from biggan_tf.config import Config
from biggan_tf.training.checkpoint_files import Record
from biggan_tf.training.distribution import Cluster

_LOGGER = logging.getLogger(__name__)


class RunPrecision(NamedTuple):
    """What `model.policy` was asked for, what the run takes, and why, as a clause of a sentence."""

    asked: str
    policy: str
    reason: str

    def applied(self, config: Config) -> Config:
        """The configuration with the policy that the run takes."""
        return dataclasses.replace(config, model=dataclasses.replace(config.model, policy=self.policy))


def decide(config: Config, record: Record | None, cluster: Cluster | None = None) -> RunPrecision:
    """What a run computes in.

    A policy that is asked for by name is taken. "auto" goes on with that of the checkpoint, also on another device, for
    the run's numbers are to stay comparable; a new run takes what this device computes faster with, and float32
    as soon as one of several workers says so.

    Args:
        config: As it was asked for.
        record: Of the checkpoint that the run goes on from; None: it begins.
        cluster: Whose workers must agree; all must ask at the same point. None: this process alone.
    """
    asked = config.model.policy
    if asked != precision.AUTO:
        return RunPrecision(asked, asked, "it was asked for by name")
    if record is not None and record.resolved_config().model.policy != precision.AUTO:
        return RunPrecision(asked, record.resolved_config().model.policy, f"the run had it at step {record.step}")
    policy, reason = precision.automatic()
    is_careful = policy == precision.FLOAT32
    if cluster is not None and cluster.any_worker(is_careful) and not is_careful:
        return RunPrecision(asked, precision.FLOAT32, "the device of another worker is not faster in bfloat16")
    return RunPrecision(asked, policy, reason)


def settle(config: Config, record: Record | None, cluster: Cluster) -> Config:
    """The configuration with its policy decided, as `decide` does; what "auto" became is logged."""
    decided = decide(config, record, cluster)
    if decided.policy != decided.asked:
        _LOGGER.info("model.policy=%s is %s: %s.", *decided)
    return decided.applied(config)
