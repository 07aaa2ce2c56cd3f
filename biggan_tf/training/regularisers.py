"""What is added to the generator's averaged gradients. A new regulariser is a new class with the same method."""

from __future__ import annotations

from typing import Any

from biggan_tf.losses.orthogonal import orthogonal_gradient


class NoRegulariser:
    """Leaves gradients as they are."""

    def gradient(self, name: str, variable: Any) -> Any | None:
        """What to add to the gradient of `variable`, or None."""
        del name, variable
        return None


class OrthogonalRegulariser:
    """Brock et al. 2018 (arXiv:1809.11096, equation 3), on raw kernels, the shared embedding left out.

    Args:
        strength: The paper: 1e-4.
    """

    def __init__(self, strength: float):
        self.strength = strength

    def gradient(self, name: str, variable: Any) -> Any | None:
        """What to add to the gradient of `variable`, or None."""
        if len(variable.shape) < 2 or name.startswith("class_embedding/"):
            return None
        return orthogonal_gradient(variable, self.strength)
