"""What a recipe trains, in words short enough for a cell of a table."""

from __future__ import annotations

from typing import Any

from biggan_tf.config import Config
from biggan_tf.config.parts import Part
from biggan_tf.config.run import difference


def of_recipe(config: Config) -> dict[str, str]:
    """The parts of a recipe by the words for them, each as `described`.

    A frozen classifier and label noise are among them only where the recipe has them.

    Args:
        config: The recipe.
    """
    parts = {
        "family": config.model.kind,
        "condition": described(config.model.condition),
        "game": described(config.game, left_out=("discriminator_steps",)),
        "norm of D": described(config.model.discriminator_norm),
        "augmentation": described(config.augmentation),
    }
    if config.classifier.kind != "none":
        parts["classifier"] = described(config.classifier)
    if config.data.label_noise:
        parts["label noise"] = f"{config.data.label_noise:g}"
    return parts


def described(part: Part, left_out: tuple[str, ...] = ()) -> str:
    """A part's kind, and its numbers that are not the defaults: 'non_saturating (penalties.r1=1)'.

    Args:
        part: The part.
        left_out: Fields that are told elsewhere.
    """
    changed = difference(type(part)(), part)
    numbers = [f"{name}={_as_text(value)}" for name, (_, value) in changed.items() if name not in left_out]
    return f"{part.kind} ({', '.join(numbers)})" if numbers else part.kind


def _as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
