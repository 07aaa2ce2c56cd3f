"""One version of a model on its way through the states of tensorflow_serving's life cycle."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

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
    """What the manager knows of one version."""

    name: str
    number: int
    path: str
    aspired: bool = True
    state: State = State.START
    error: ServingError | None = None
    model: LoadedModel | None = None
    handles: int = 0
    attempts: int = field(default=0)


def next_unload(versions: list[Version]) -> Version | None:
    """Applies the availability-preserving policy's first half.

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
    """The policy's second half: the highest wanted version that is new."""
    new = [v for v in versions if v.aspired and v.state is State.START]
    return max(new, key=lambda v: v.number, default=None)
