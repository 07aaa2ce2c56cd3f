"""What a tracker does: it shows the numbers and sheets of a training elsewhere, such as in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from biggan_tf.config import Config


@runtime_checkable
class Tracker(Protocol):
    """One open run in a tracking program. A run that goes on from a checkpoint may tell it the same steps again."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers.

        Args:
            step: How many steps have been done.
            values: Numbers by name, such as "d_loss".
        """
        ...

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]]) -> None:
        """Takes sheets of samples.

        Args:
            step: How many steps have been done.
            grids: Pictures by name, grey levels from 0 to 255.
        """
        ...

    def close(self) -> None:
        """Ends the run, or pauses it; nothing follows."""
        ...


# Takes (workdir, configuration) and opens the tracker. The first worker alone calls it, with the workdir locked.
OpenTracker: TypeAlias = Callable[[str, Config], Tracker]
