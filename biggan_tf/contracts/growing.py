"""What networks do that grow while they train, a resolution at a time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import keras


@runtime_checkable
class GrowingNetwork(Protocol):
    """A generator or a discriminator that can work at a lower resolution than its configuration's.

    The level of detail, lod, says how far it has grown (Karras et al. 2018, arXiv:1710.10196, section 2). 0: it has
    the full resolution R; k: it has R / 2^k. Between k and k + 1 the resolution R / 2^k is being faded in, and the
    fraction is the share of the coarser one.

    Attributes:
        lod: The level of detail, a variable that is not trained. It is part of a checkpoint and of an export.
        training_size: The height and width at which the network works in training; what it computes then does not
            depend on the levels above. `training.growth.Growth` sets it together with `lod`.
    """

    lod: keras.Variable
    training_size: int
