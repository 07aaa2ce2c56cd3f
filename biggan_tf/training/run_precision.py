"""Decides once what a run computes in, so that it computes in the same wherever it goes on."""

from __future__ import annotations

import dataclasses
import logging
from typing import NamedTuple

from biggan_tf import precision
from biggan_tf.config import Config
from biggan_tf.training.checkpoints.files import CheckpointSummary
from biggan_tf.training.distribution import Cluster

_LOGGER = logging.getLogger(__name__)


class RunPrecision(NamedTuple):
    """The dtype policy of a run.

    Attributes:
        asked: `model.policy` as the configuration has it, e.g. "auto".
        policy: What the run computes in; never "auto".
        reason: Why, as a clause that ends a sentence.
    """

    asked: str
    policy: str
    reason: str

    def applied(self, config: Config) -> Config:
        """A copy of a configuration whose `model.policy` is `policy`."""
        return dataclasses.replace(config, model=dataclasses.replace(config.model, policy=self.policy))


def decide(config: Config, summary: CheckpointSummary | None, cluster: Cluster | None = None) -> RunPrecision:
    """Decides what a run computes in.

    A policy that is asked for by its name is taken. With "auto" a run that goes on keeps the policy of its checkpoint,
    on another device too, because the numbers of a run must stay comparable. A new run takes what this device computes
    faster in, and float32 as soon as one of several workers is not faster in bfloat16.

    Args:
        config: The configuration as the user gave it.
        summary: The summary of the checkpoint from which the run goes on; None: the run is new.
        cluster: The workers, which must agree; all of them must call this at the same point. None: there is one.
    """
    asked = config.model.policy
    if asked != precision.AUTO:
        return RunPrecision(asked, asked, "it was asked for by name")
    if summary is not None and summary.resolved_config().model.policy != precision.AUTO:
        return RunPrecision(asked, summary.resolved_config().model.policy, f"the run had it at step {summary.step}")
    policy, reason = precision.automatic()
    is_careful = policy == precision.FLOAT32
    if cluster is not None and cluster.any_worker(is_careful) and not is_careful:
        return RunPrecision(asked, precision.FLOAT32, "the device of another worker is not faster in bfloat16")
    return RunPrecision(asked, policy, reason)


def settle(config: Config, summary: CheckpointSummary | None, cluster: Cluster) -> Config:
    """A copy of the configuration with the policy that `decide` decides on; what "auto" stands for is logged.

    Args:
        config: The configuration as the user gave it.
        summary: The summary of the checkpoint from which the run goes on; None: the run is new.
        cluster: The workers, all of which must call this at the same point.
    """
    decided = decide(config, summary, cluster)
    if decided.policy != decided.asked:
        _LOGGER.info("model.policy=%s is %s: %s.", *decided)
    return decided.applied(config)
