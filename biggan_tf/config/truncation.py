"""What a truncation means for a family of networks, and which ones a served model takes. No TensorFlow."""

import dataclasses

LATENTS, STYLES = "latents", "styles"


@dataclasses.dataclass(frozen=True)
class TruncationRule:
    """What one number, the truncation, does to the images of a family.

    Attributes:
        space: LATENTS: latents are sampled from a prior that is cut off or scaled by it (arXiv:1809.11096, section 3.1)
            and the generator is only told. STYLES: latents are sampled from the prior as it is, and the generator moves
            its styles towards their mean by it, psi of w' = mean + psi (w - mean) (arXiv:1812.04948, appendix B).
        low: The smallest that a served model takes. Sampling in Python has no such bounds.
        high: The largest.
        default: Where the page in the browser begins.
    """

    space: str
    low: float
    high: float
    default: float

    @property
    def of_styles(self) -> bool:
        """Whether latents are left as they are, and styles are truncated."""
        return self.space == STYLES


# The truncations that batch norms are served with standing statistics for, and how these are measured. An export, a
# preset, `biggan_tf.sample` and Python take these numbers unless they are told others, so that their pictures agree.
SERVED_TRUNCATIONS = tuple(round(0.1 * step, 1) for step in range(11))
STANDING_PASSES = 100  # arXiv:1809.11096, appendix C
STANDING_BATCH_SIZE = 64

# Below 0.02 all pictures of a class look the same.
OF_LATENTS = TruncationRule(LATENTS, 0.02, 1.0, 0.5)
# 0 gives the mean style's picture alone, 1 leaves the styles as they are, and above 1 they are exaggerated.
OF_STYLES = TruncationRule(STYLES, 0.0, 2.0, 0.7)
