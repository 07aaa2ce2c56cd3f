"""Builds networks whose variables have names and shapes but no memory, until each is given its value.

What a weights file says of a network decides the shapes of its variables. A hostile file of some kilobytes can say
that they take terabytes, so the network is compared with the file before anything is allocated for it. An honest file
gains as well: no orthogonal kernels are computed that the file's would replace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras.src.backend.common import global_state

# Private in Keras 3.15, which defers variables inside of a `StatelessScope` for purposes of its own: the list of the
# variables that the next scope would initialise, and what initialises one. deferred_variables_test.py fails when they
# go.
_PENDING = "uninitialized_variables"


@contextlib.contextmanager
def deferred_variables() -> Iterator[None]:
    """Variables that are created inside get no memory. Those of them that are needed must be given to `set_value`."""
    before = list(global_state.get_global_attribute(_PENDING) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        # The next stateless scope, whoever opens it, would give memory to all that are on the list.
        global_state.set_global_attribute(_PENDING, before)


def set_value(variable: keras.Variable, value: np.ndarray) -> None:
    """Gives a variable its value, and its memory if it has none yet.

    Args:
        variable: Was created inside or outside of `deferred_variables`.
        value: The value, of the variable's shape.
    """
    if variable._value is not None:
        variable.assign(value)
        return
    if value.shape != tuple(variable.shape):
        raise ValueError(f"{variable.path} has the shape {tuple(variable.shape)}. Received: {value.shape}")
    variable._initializer = lambda shape, dtype: keras.ops.convert_to_tensor(value, dtype)
    variable._deferred_initialize()
