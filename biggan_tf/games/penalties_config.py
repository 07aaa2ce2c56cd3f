"""The numbers of the penalties that the games of two networks can take (`games.composed_penalties`)."""

import dataclasses
from collections.abc import Collection, Iterator

from biggan_tf.config import checks
from biggan_tf.config.section import Section

# Those that can be taken in some steps only.
_LAZY = ("r1", "r2", "gradient_penalty", "lecam", "consistency", "fake_consistency", "latent_consistency")


@dataclasses.dataclass
class PenaltiesConfig(Section):
    """The weight of each penalty; 0, the default: it is not taken.

    Penalties look at D's logit. One whose interval k, its field that ends in `_every`, is above 1 is lazy: in every
    k-th step, after D's n_D updates, D is updated once more by the penalty alone, on the real images of the last update
    and new fakes. There it weighs n_D k times as much, since it stands for n_D k updates. Penalties of one interval
    share an update, and each interval has one of its own. Adam is corrected for all of them together (arXiv:1912.04958,
    appendix B): with c = 1 / (1 + sum_k 1 / (n_D k)) over the intervals, its rate is c times as large, and its decays
    are to the power of c.

    Attributes:
        r1: gamma of R1, gamma / 2 E[|dD(x)/dx|^2] at real images (Mescheder et al. 2018, arXiv:1801.04406).
        r1_every: Every how many steps R1 is taken. 1, the default for all: it is part of each update of D.
        r2: gamma of R2, the same at fakes.
        r2_every: Likewise.
        gradient_penalty: Of E[(|dD(y)/dy| - centre)^2] at y between real images and fakes (arXiv:1704.00028).
        gradient_penalty_centre: 1: the slope is to be 1; 0: it is to vanish (zero-centred).
        gradient_penalty_every: Likewise.
        lecam: Of LeCam regularisation (arXiv:2104.03310). Public code takes 0.3 for CIFAR-10.
        lecam_decay: What a moving average of logits keeps of itself at a batch that it is taken on.
        lecam_start_images: From how many images on it is taken.
        lecam_every: Likewise. The averages move where the penalty is taken, so in every k-th step, too.
        consistency: Of consistency regularisation at real images (CR and bCR). Public code takes 10.
        consistency_every: Likewise.
        fake_consistency: Of the same at fakes (bCR).
        fake_consistency_every: Likewise.
        latent_consistency: Of latent consistency in D's loss (zCR). Public code takes 20.
        latent_consistency_every: Likewise.
        latent_spread: Of latent consistency in G's loss, which draws the fakes apart. Public code takes 0.5.
        feature_matching: Of feature matching in G's loss (arXiv:1606.03498).
        latent_noise: The deviation of the noise that makes neighbouring latents.
        orthogonal: Of the orthogonal regularisation of D's kernels (`games.penalties`), in each main update of D. It
            needs no images, so that nothing is saved by taking it lazily.
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
    lecam_every: int = 1
    consistency: float = 0.0
    consistency_every: int = 1
    fake_consistency: float = 0.0
    fake_consistency_every: int = 1
    latent_consistency: float = 0.0
    latent_consistency_every: int = 1
    latent_spread: float = 0.0
    feature_matching: float = 0.0
    latent_noise: float = 0.05
    orthogonal: float = 0.0

    def intervals(self, weighed_elsewhere: Collection[str] = ()) -> tuple[int, ...]:
        """The intervals above 1 of the penalties that are taken, in order.

        Args:
            weighed_elsewhere: Penalties that are taken though their weight here is 0, since the game has another one.
        """
        taken = [name for name in _LAZY if getattr(self, name) or name in weighed_elsewhere]
        return tuple(sorted({self.every(name) for name in taken} - {1}))

    def every(self, name: str) -> int:
        """Every how many steps a penalty is taken."""
        return int(getattr(self, f"{name}_every"))

    def problems(self) -> Iterator[str]:
        """What is wrong with these numbers, a sentence each."""
        section = "game.penalties"
        others = ("gradient_penalty_centre", "latent_spread", "feature_matching", "latent_noise", "orthogonal")
        yield from checks.at_least(self, section, 0, (*_LAZY, *others))
        yield from checks.at_least(self, section, 1, (*(f"{name}_every" for name in _LAZY), "lecam_start_images"))
        yield from checks.between(f"{section}.lecam_decay", self.lecam_decay, 0.0, 1.0, low_allowed=True)
