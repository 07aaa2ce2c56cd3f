"""Weights & Biases. Nothing leaves this machine unless WANDB_MODE=online asks for it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping

import numpy as np
import wandb
from jaxtyping import UInt8

from biggan_tf import files
from biggan_tf.config import Config, to_dict
from biggan_tf.training.trackers import run_identity

_PROJECT = "biggan_tf"


class WandbTracker:
    """One run of Weights & Biases.

    Without WANDB_MODE it is offline: the files go to WORKDIR/wandb, and `wandb sync WORKDIR/wandb/offline-run-*` sends
    them later. WANDB_PROJECT and the other variables of the library hold as always.

    Args:
        workdir: The folder of the run. A remote one cannot hold the library's files, which then go to ./wandb.
        config: The configuration of the run, which is shown with it.
    """

    def __init__(self, workdir: str, config: Config):
        identity = run_identity.read(workdir, "wandb")
        if not identity:
            identity = uuid.uuid4().hex[:16]
            run_identity.write(workdir, "wandb", identity)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            id=identity,
            name=config.name or None,
            config=to_dict(config),
            dir=None if files.is_remote(workdir) else workdir,
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
        )
        # The library's own counter must rise, and a run that went back to a checkpoint repeats steps.
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Logs numbers over "step"."""
        self._run.log({"step": step, **{name: float(value) for name, value in values.items()}})

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]]) -> None:
        """Logs sheets of samples over "step"."""
        self._run.log({"step": step, **{f"samples {name}": wandb.Image(grid) for name, grid in grids.items()}})

    def close(self) -> None:
        """Finishes the run; the same id opens it again."""
        self._run.finish()
