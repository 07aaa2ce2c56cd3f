"""The trackers that `--tracker` can name, and what happens when one of them fails."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import UInt8

from biggan_tf.config import Config, ConfigError
from biggan_tf.training.trackers.tracker import OpenTracker, Tracker

# By name: the library, and the class that needs it.
_TRACKERS = {
    "mlflow": ("mlflow", "biggan_tf.training.trackers.mlflow_tracker:MlflowTracker"),
    "wandb": ("wandb", "biggan_tf.training.trackers.wandb_tracker:WandbTracker"),
}
NAMES = tuple(_TRACKERS)
_LOGGER = logging.getLogger(__name__)


def named(name: str) -> OpenTracker:
    """What opens a tracker.

    Args:
        name: One of NAMES.

    Raises:
        ConfigError: If there is no such tracker, or its library is not installed.
    """
    if name not in _TRACKERS:
        raise ConfigError([f"--tracker must be one of {', '.join(NAMES)}. Received: {name}."])
    library, place = _TRACKERS[name]
    if importlib.util.find_spec(library) is None:
        raise ConfigError(
            [
                f"--tracker={name} needs the package {library}. It is not installed: "
                f"python -m pip install 'biggan-tf[{name}]'."
            ]
        )
    module, _, attribute = place.partition(":")

    def open_tracker(workdir: str, config: Config) -> Tracker:
        return LenientTracker(name, lambda: getattr(importlib.import_module(module), attribute)(workdir, config))

    return open_tracker


class LenientTracker:
    """Passes all on to a tracker until that fails once: the log then says so, and the training goes on without it.

    Args:
        name: How the log calls it.
        open_tracker: Opens the tracker.
    """

    def __init__(self, name: str, open_tracker: Callable[[], Tracker]):
        self._name = name
        self._tracker: Tracker | None = None

        def open_it() -> None:
            self._tracker = open_tracker()

        self._try(open_it)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Passes numbers on."""
        tracker = self._tracker
        if tracker is not None:
            self._try(lambda: tracker.scalars(step, values))

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]]) -> None:
        """Passes sheets of samples on."""
        tracker = self._tracker
        if tracker is not None:
            self._try(lambda: tracker.pictures(step, grids))

    def close(self) -> None:
        """Closes the tracker."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            self._try(tracker.close)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the libraries raise what their networks, disks and servers cause
            self._tracker = None
            _LOGGER.warning(
                "The tracker %s failed, and gets nothing more of this run; metrics.jsonl has it all. %s: %s",
                self._name,
                type(error).__name__,
                error,
            )
