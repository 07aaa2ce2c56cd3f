"""One version of a model on its way through the states of tensorflow_serving's life cycle."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from serving.server.loaded_model import LoadedModel
from serving.server.status import ServingError


class State(enum.IntEnum):
    """States as GetModelStatus reports them."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """The state of one version, which `ModelManager` keeps.

    Attributes:
        name: The name of the model.
        number: The number of the version.
        path: The folder of the version.
        aspired: Whether it is to be served.
        state: How far its loading or unloading is.
        error: Why the last try to load it failed; None: it did not, or there was none.
        model: The loaded model; None: it is not loaded.
        handles: How many requests use the model now; it is unloaded at 0.
        attempts: How often it was tried to load it.
        retry_at: When it is tried again, on the clock of `time.monotonic`; None: no try is waited for.
    """

    name: str
    number: int
    path: str
    aspired: bool = True
    state: State = State.START
    error: ServingError | None = None
    model: LoadedModel | None = None
    handles: int = 0
    attempts: int = 0
    retry_at: float | None = None


def next_unload(versions: list[Version]) -> Version | None:
    """The version to unload next, by TensorFlow Serving's availability-preserving policy; None: none.

    The lowest version that is no longer wanted goes if nothing is wanted, if a wanted one can take over, or if more
    than one stale version is kept.
    """
    stale = [v for v in versions if v.state is State.AVAILABLE and not v.aspired]
    if not stale:
        return None
    aspired = [v for v in versions if v.aspired]
    taken_over = any(v.state is State.AVAILABLE for v in aspired)
    if aspired and not taken_over and len(stale) < 2:
        return None
    return min(stale, key=lambda v: v.number)


def next_load(versions: list[Version]) -> Version | None:
    """The version to load next: the highest of those that are wanted and new; None: none."""
    new = [v for v in versions if v.aspired and v.state is State.START]
    return max(new, key=lambda v: v.number, default=None)


def next_retry(versions: list[Version], now: float) -> Version | None:
    """The version to try again: the highest of those that have waited for it until now; None: none."""
    due = [v for v in versions if v.retry_at is not None and v.retry_at <= now]
    return max(due, key=lambda v: v.number, default=None)
