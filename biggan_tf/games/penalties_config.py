"""The numbers of the penalties that the games of two networks can take (`games.composed_penalties`)."""

import dataclasses
from collections.abc import Collection, Iterator

from biggan_tf.config import checks
from biggan_tf.config.section import Section

# Those that can be taken in some steps only.
_LAZY = (
    "r1",
    "r2",
    "gradient_penalty",
    "max_gradient_penalty",
    "dragan",
    "lecam",
    "consistency",
    "fake_consistency",
    "latent_consistency",
)


@dataclasses.dataclass
class PenaltiesConfig(Section):
    """The weight of each penalty; 0, the default: it is not taken.

    Penalties look at D's logit. One whose interval k, its field that ends in `_every`, is above 1 is lazy: in every
    k-th step, after D's n_D updates, D is updated once more by the penalty alone, on the real images of the last update
    and, where the penalty looks at fakes, on new fakes. There it weighs n_D k times as much, since it stands for n_D k
    updates. Penalties of one interval share an update, and each interval has one of its own. Adam is corrected for all
    of them together (arXiv:1912.04958, appendix B): with c = 1 / (1 + sum_k 1 / (n_D k)) over the intervals, its rate
    is c times as large, and its decays are to the power of c.

    Attributes:
        r1: The weight gamma of R1, gamma / 2 E[|dD(x)/dx|^2] at real images (Mescheder et al. 2018, arXiv:1801.04406).
        r1_every: Every how many steps R1 is taken. 1, the default for all penalties: it is part of each update of D.
        r2: The weight gamma of R2, gamma / 2 E[|dD(G(z))/dG(z)|^2], which is R1 at fakes (arXiv:1801.04406).
        r2_every: Every how many steps R2 is taken.
        gradient_penalty: The weight of E[(|dD(y)/dy| - centre)^2] at points y between real images and fakes
            (arXiv:1704.00028).
        gradient_penalty_centre: The length that the gradient penalty draws D's gradient to: 1, or 0 for the
            zero-centred penalty.
        gradient_penalty_every: Every how many steps the gradient penalty is taken.
        max_gradient_penalty: The weight of the largest |dD(y)/dy|^2 among such points y of all replicas
            (arXiv:1902.05687), which bounds D's slope where it is steepest.
        max_gradient_penalty_every: Every how many steps the penalty on the largest slope is taken.
        dragan: The weight of E[(|dD(y)/dy| - 1)^2] at points y in the neighbourhood of real images
            (arXiv:1705.07215). StudioGAN takes 10.
        dragan_every: Every how many steps DRAGAN's penalty is taken.
        lecam: The weight of LeCam regularisation (arXiv:2104.03310), which draws D's logits of real images down to a
            moving average of its logits of fakes, and those of fakes up to one of real images. StudioGAN takes 0.3 for
            CIFAR-10.
        lecam_decay: Which share of a moving average of logits stays when the mean of a new batch enters it:
            a <- decay a + (1 - decay) mean.
        lecam_start_images: LeCam regularisation is taken once D has seen more real images than this. Until then it is
            0, and each average is the mean of the latest batch.
        lecam_every: Every how many steps LeCam regularisation is taken, and its averages move.
        consistency: The weight of consistency regularisation at real images (CR, arXiv:1910.12027, and bCR,
            arXiv:2002.04724), by which D's logit of an image stays when the image is mirrored and moved. StudioGAN
            takes 10.
        consistency_every: Every how many steps consistency regularisation at real images is taken.
        fake_consistency: The weight of consistency regularisation at fakes (bCR). StudioGAN takes 10.
        fake_consistency_every: Every how many steps consistency regularisation at fakes is taken.
        latent_consistency: The weight of latent consistency in D's loss (zCR, arXiv:2002.04724), by which D's logit of
            a fake stays when noise is added to its latent. StudioGAN takes 20.
        latent_consistency_every: Every how many steps latent consistency is taken in D's loss.
        latent_spread: The weight of how far fakes of neighbouring latents are apart, E[(G(z) - G(z + noise))^2], which
            G's loss is lowered by (zCR). StudioGAN takes 0.5.
        feature_matching: The weight of feature matching in G's loss (arXiv:1606.03498), by which fakes have the mean
            features of real images.
        latent_noise: The deviation of the normal noise that is added to the latents of fakes, for `latent_consistency`
            and `latent_spread`. StudioGAN takes 0.05.
        orthogonal: The weight beta of the orthogonal regularisation of D's kernels (`games.penalties`), in each main
            update of D. It has no interval: it is a product of each kernel with itself, and takes no call of D.
    """

    r1: float = 0.0
    r1_every: int = 1
    r2: float = 0.0
    r2_every: int = 1
    gradient_penalty: float = 0.0
    gradient_penalty_centre: float = 1.0
    gradient_penalty_every: int = 1
    max_gradient_penalty: float = 0.0
    max_gradient_penalty_every: int = 1
    dragan: float = 0.0
    dragan_every: int = 1
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
