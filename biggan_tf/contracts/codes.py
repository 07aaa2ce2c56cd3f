"""The interface of a condition by which some values of a latent are codes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from biggan_tf.types import Latents


@runtime_checkable
class ConditionWithCodes(Protocol):
    """A condition by which some values of a latent are codes."""

    def codes_to_latents(self, z: Latents) -> Latents:
        """What the layers of the generator are given in the place of latents, such as one-hot codes.

        Latents may pass through here more than once, so that its own result must be returned unchanged.

        Args:
            z: The latents as they were drawn, or what an earlier call returned for them.
        """
        ...
