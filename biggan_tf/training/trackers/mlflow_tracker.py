"""MLflow. Nothing leaves this machine unless MLFLOW_TRACKING_URI names a server."""

from __future__ import annotations

import os
import pathlib
import re
import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from mlflow import MlflowClient
from mlflow.entities import Metric

from biggan_tf import files
from biggan_tf.config import Config, to_dict
from biggan_tf.training.trackers import run_identity

_EXPERIMENT = "biggan_tf"
# What MLflow does not allow in the name of a metric.
_FORBIDDEN = re.compile(r"[^\w\-. :/]")
_MOST_AT_ONCE = 1000  # metrics in a request


class MlflowTracker:
    """One run of MLflow.

    Without MLFLOW_TRACKING_URI the numbers go to WORKDIR/mlflow/mlflow.db, which
    `mlflow ui --backend-store-uri=sqlite:///WORKDIR/mlflow/mlflow.db` of the complete package `mlflow` shows.
    MLFLOW_EXPERIMENT_NAME is the name of the experiment; default: biggan_tf.

    Args:
        workdir: The folder of the run. Where it is remote, the local files go to ./mlflow.
        config: The configuration of the run, which is stored with it as config.json.
    """

    def __init__(self, workdir: str, config: Config):
        address = os.environ.get("MLFLOW_TRACKING_URI", "")
        location = None
        if not address:
            folder = pathlib.Path("." if files.is_remote(workdir) else workdir).absolute() / "mlflow"
            folder.mkdir(parents=True, exist_ok=True)
            address, location = f"sqlite:///{folder / 'mlflow.db'}", (folder / "files").as_uri()
        self._client = MlflowClient(tracking_uri=address)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        self._run_id = run_identity.read(workdir, "mlflow")
        if self._run_id:
            self._client.update_run(self._run_id, status="RUNNING")
            return
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name, location)
        self._run_id = self._client.create_run(number, run_name=config.name or None).info.run_id
        run_identity.write(workdir, "mlflow", self._run_id)
        self._client.log_dict(self._run_id, to_dict(config), "config.json")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Logs numbers; what a name may not have becomes "_"."""
        now = int(time.time() * 1000)
        metrics = [Metric(_FORBIDDEN.sub("_", name), float(value), now, step) for name, value in values.items()]
        for first in range(0, len(metrics), _MOST_AT_ONCE):
            self._client.log_batch(self._run_id, metrics=metrics[first : first + _MOST_AT_ONCE])

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]]) -> None:
        """Logs sheets of samples."""
        for name, grid in grids.items():
            self._client.log_image(self._run_id, grid, key=f"samples {name}", step=step)

    def close(self) -> None:
        """Ends the run; the same id opens it again."""
        self._client.set_terminated(self._run_id)
