"""Gives a linear map its gradient in closed form: the adjoint map, which backends derive in slower ways."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from keras import ops

from biggan_tf.types import Tensor

LinearMap: TypeAlias = Callable[[Any], Any]


def with_adjoint(adjoint: LinearMap) -> Callable[[LinearMap], LinearMap]:
    """Decorates a linear map A of one tensor: its gradient is A^T.

    Args:
        adjoint: Computes A^T of a tensor of the result's shape. Where second derivatives are wanted it must itself be
            differentiable, for example because it is decorated in turn.
    """

    def decorate(apply: LinearMap) -> LinearMap:
        @functools.wraps(apply)
        def with_gradient(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
            def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
                return adjoint(args[0] if upstream is None else upstream)

            return apply(x), gradient

        return cast(LinearMap, ops.custom_gradient(with_gradient))

    return decorate
