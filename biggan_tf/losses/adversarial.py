"""What the two networks play for. A new game is a new class with the same two methods."""

from __future__ import annotations

from typing import Any

from keras import ops

from biggan_tf.ops.precision import widen


class HingeLoss:
    """Lim and Ye 2017 (arXiv:1705.02894): the discriminator stops caring beyond a margin of 1."""

    def discriminator(self, real_logits: Any, fake_logits: Any) -> Any:
        """Scalar: mean relu(1 - D(real)) + mean relu(1 + D(fake))."""
        real_logits, fake_logits = widen(real_logits), widen(fake_logits)
        return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))

    def generator(self, fake_logits: Any) -> Any:
        """Scalar: -mean D(fake)."""
        return -ops.mean(widen(fake_logits))


class NonSaturatingLoss:
    """Goodfellow et al. 2014 (arXiv:1406.2661, section 3): cross-entropy, the generator maximising log D(fake)."""

    def discriminator(self, real_logits: Any, fake_logits: Any) -> Any:
        """Scalar: mean softplus(-D(real)) + mean softplus(D(fake))."""
        real_logits, fake_logits = widen(real_logits), widen(fake_logits)
        return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))

    def generator(self, fake_logits: Any) -> Any:
        """Scalar: mean softplus(-D(fake))."""
        return ops.mean(ops.softplus(-widen(fake_logits)))


LOSSES = {"hinge": HingeLoss, "non_saturating": NonSaturatingLoss}
