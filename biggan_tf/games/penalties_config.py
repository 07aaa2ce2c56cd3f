"""The numbers of the penalties that any game of two losses can take (`games.composed_penalties`)."""

import dataclasses
from collections.abc import Iterator

from biggan_tf.config import checks
from biggan_tf.config.section import Section

_LAZY = ("r1", "r2", "gradient_penalty")


@dataclasses.dataclass
class PenaltiesConfig(Section):
    """The weight of each penalty; 0, the default: it is not taken.

    Attributes:
        r1: gamma of R1, gamma / 2 E[|dD(x)/dx|^2] at real images (Mescheder et al. 2018, arXiv:1801.04406).
        r1_every: Every how many steps R1 is taken, with a weight as much larger. All intervals above 1 must be equal.
        r2: gamma of R2, the same at fakes.
        r2_every: Likewise.
        gradient_penalty: Of E[(|dD(y)/dy| - centre)^2] at y between real images and fakes (arXiv:1704.00028).
        gradient_penalty_centre: 1: the slope is to be 1; 0: it is to vanish (zero-centred).
        gradient_penalty_every: As `r1_every`.
        lecam: Of LeCam regularisation (arXiv:2104.03310). Public code takes 0.3 for CIFAR-10.
        lecam_decay: What a moving average of logits keeps of itself at a batch.
        lecam_start_images: From how many images on it is taken.
        consistency: Of consistency regularisation at real images (CR and bCR). Public code takes 10.
        fake_consistency: Of the same at fakes (bCR).
        latent_consistency: Of latent consistency in D's loss (zCR). Public code takes 20.
        latent_spread: Of latent consistency in G's loss, which draws the fakes apart. Public code takes 0.5.
        feature_matching: Of feature matching in G's loss (arXiv:1606.03498).
        latent_noise: The deviation of the noise that makes neighbouring latents.
    """

    r1: float = 0.0
    r1_every: int = 1
    r2: float = 0.0
    r2_every: int = 1
    gradient_penalty: float = 0.0
    gradient_penalty_centre: float = 1.0
    gradient_penalty_every: int = 1
    lecam: float = 0.0
    lecam_decay: float = 0.99
    lecam_start_images: int = 64_000
    consistency: float = 0.0
    fake_consistency: float = 0.0
    latent_consistency: float = 0.0
    latent_spread: float = 0.0
    feature_matching: float = 0.0
    latent_noise: float = 0.05

    @property
    def interval(self) -> int:
        """Every how many steps the lazy penalties are taken; 0: there are none."""
        intervals = {self.every(name) for name in _LAZY if getattr(self, name)} - {1}
        return max(intervals, default=0)

    def every(self, name: str) -> int:
        """Every how many steps a penalty is taken."""
        return int(getattr(self, f"{name}_every")) if name in _LAZY else 1

    def problems(self) -> Iterator[str]:
        """What is wrong with these numbers, a sentence each."""
        section = "game.penalties"
        of_discriminator = (*_LAZY, "gradient_penalty_centre", "lecam", "consistency", "fake_consistency")
        yield from checks.at_least(self, section, 0, of_discriminator)
        others = ("latent_consistency", "latent_spread", "feature_matching", "latent_noise")
        yield from checks.at_least(self, section, 0, others)
        yield from checks.at_least(self, section, 1, (*(f"{name}_every" for name in _LAZY), "lecam_start_images"))
        yield from checks.between(f"{section}.lecam_decay", self.lecam_decay, 0.0, 1.0, low_allowed=True)
        intervals = sorted({self.every(name) for name in _LAZY if getattr(self, name)} - {1})
        if len(intervals) > 1:
            yield (
                f"All intervals above 1 of {section} must be equal, since Adam is corrected for one of them. Received: "
                f"{', '.join(map(str, intervals))}; choose one."
            )
