"""The names of the metrics that a configuration may ask for; which of the two kinds, its family decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biggan_tf.config.parts import FamilyConfig

# These need a generator, and the `Evaluator` computes them: path lengths, the isometry of the Jacobian, equivariance.
OF_GENERATOR = ("ppl", "ppl_z_full", "ppl_z_end", "ppl_w_full", "ppl_w_end", "jodi_z", "jodi_w", "equivariance")
# Of images that were drawn from latents; what is not `OF_GENERATOR` is computed in `evaluation.metrics.all_metrics`.
OF_SAMPLES = ("fd", "is", "kid", "prdc", "intra_fd", "accuracy", *OF_GENERATOR)
# Of images that were enlarged, computed in `evaluation.metrics.fidelity`. psnr: peak signal-to-noise ratio in dB; ssim:
# structural similarity; map_distance: `ops.map_distance`; patch_fd: the Fréchet distance between the features of
# patches; sharpness: the mean slope of the brightness.
OF_ENLARGEMENTS = ("psnr", "ssim", "map_distance", "patch_fd", "sharpness")


def of_family(model: FamilyConfig) -> Sequence[str]:
    """The metrics by which the generators of a family are measured."""
    return OF_ENLARGEMENTS if model.enlargement > 1 else OF_SAMPLES


def problems(path: str, names: Sequence[str], model: FamilyConfig) -> Iterator[str]:
    """A sentence if one of the metrics is none of the family's, or there is none.

    Args:
        path: The field that names them, for the message.
        names: Its value.
        model: The networks that are measured.
    """
    known = of_family(model)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        yield (
            f"{path} must be some of {', '.join(known)} with model {model.kind}. Received: "
            f"{', '.join(unknown) or 'none'}; set it to some of these, the one that decides first."
        )
