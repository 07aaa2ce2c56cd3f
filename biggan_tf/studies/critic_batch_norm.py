"""Batch norm in a discriminator lets the answer to a real image depend on the fakes; the other norms do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.config.parts import DiscriminatorNormConfig, kinds, load
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

_CLASSES = 2
_NUM_GROUPS = 4


class _Coupling(NamedTuple):
    """How much a real image's logit depends on the images of its call.

    Attributes:
        own: The root of the mean square of the length of its gradient with respect to the real image itself.
        fakes: The root of the mean square of the length of its gradient with respect to all fakes of the call together.
        reals: The root of the mean square of the length of its gradient with respect to all other real images of the
            call together.
    """

    own: float
    fakes: float
    reals: float

    @property
    def from_fakes(self) -> float:
        """The dependence on the fakes, as a share of that on the image itself."""
        return self.fakes / self.own


def logit_gradients(
    discriminator: Discriminator, images: Float64[np.ndarray, "N H W 3"], labels: np.ndarray, training: bool
) -> Float64[np.ndarray, "N N"]:
    """The length of the gradient of each row's logit (first axis) with respect to each row's image (second axis).

    Args:
        discriminator: The network.
        images: All go through it in one call.
        labels: Their classes; ignored by a network without.
        training: Whether batch norms take the moments of the call.
    """
    x = tf.constant(images, tf.float32)
    conditional = discriminator.config.num_classes > 0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        inputs = (x, tf.constant(labels, tf.int32)) if conditional else x
        logits = tf.unstack(discriminator(inputs, training=training).logits)
    rows = [np.asarray(tape.gradient(logit, x), np.float64) for logit in logits]
    return np.sqrt(np.sum(np.square(np.stack(rows)), axis=(2, 3, 4)))


def coupling(discriminator: Discriminator, images: np.ndarray, labels: np.ndarray, training: bool = True) -> _Coupling:
    """How much real rows, the second half of a batch, depend on the fakes, its first half, and on one another."""
    half = len(images) // 2
    squares = logit_gradients(discriminator, images, labels, training)[half:] ** 2
    own = np.diagonal(squares[:, half:])
    of_reals = squares[:, half:].sum(axis=1) - own
    roots = [float(np.sqrt(np.mean(values))) for values in (own, squares[:, :half].sum(axis=1), of_reals)]
    return _Coupling(*roots)


def _norm(kind: str) -> DiscriminatorNormConfig:
    numbers: dict[str, Any] = {"num_groups": _NUM_GROUPS} if kind == "group" else {}
    norm: DiscriminatorNormConfig = load("discriminator_norm", kind)(**numbers)
    return norm


def _small(kind: str) -> Discriminator:
    """A BigGAN's discriminator for images of 8 pixels with a norm of the registry."""
    config = BigGANConfig(
        resolution=8,
        num_classes=_CLASSES,
        generator_table=(2, 1),
        discriminator_table=(1, 2),
        discriminator_channels=8,
        generator_attention=(),
        discriminator_attention=(),
        discriminator_norm=_norm(kind),
    )
    return Discriminator(config)


def _batch(random: np.random.Generator, rows: int, resolution: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Fakes and as many real images: noise whose deviations differ, as those of the two sides do."""
    shape = (rows // 2, resolution, resolution, 3)
    images = np.concatenate([random.uniform(-0.3, 0.3, shape), random.uniform(-1.0, 1.0, shape)])
    return images, random.integers(0, max(num_classes, 1), rows)


def _over_sizes(discriminator: Discriminator, context: StudyContext, sizes: Sequence[int]) -> list[_Coupling]:
    config, random = discriminator.config, context.random("sizes")
    return [coupling(discriminator, *_batch(random, rows, config.resolution, config.num_classes)) for rows in sizes]


def _run(context: StudyContext) -> StudyResult:
    """Measures the coupling for every norm of the registry, and of batch norm over sizes of the batch."""
    rows, sizes = context.sized((4, (2, 4)), (8, (4, 8, 16, 32)))
    images, labels = _batch(context.random("batch"), rows, 8, _CLASSES)
    found, apart = {}, 0.0
    for kind in kinds("discriminator_norm"):
        keras.utils.set_random_seed(context.seed)
        discriminator = _small(kind)
        found[kind] = coupling(discriminator, images, labels)
        if kind == "batch":
            with_stored_moments = coupling(discriminator, images, labels, training=False).from_fakes
            over_sizes = _over_sizes(discriminator, context, sizes)
            half = logit_gradients(discriminator, images[rows // 2 :], labels[rows // 2 :], training=True)
            apart = float(np.sqrt(np.mean(half[~np.eye(len(half), dtype=bool)] ** 2)) / np.mean(np.diagonal(half)))
    shares = {kind: one.from_fakes for kind, one in found.items()}
    others = max(share for kind, share in shares.items() if kind != "batch")
    by_size = np.array([one.from_fakes for one in over_sizes])
    return StudyResult(
        holds=shares["batch"] > 0.01 and others == 0.0,
        numbers={
            "from_fakes": shares,
            "own": {kind: one.own for kind, one in found.items()},
            "batch_norm_with_stored_moments": with_stored_moments,
            "batch_norm_between_reals_of_their_own_call": apart,
            "sizes": np.array(sizes),
            "from_fakes_by_size": by_size,
        },
        settings={"rows": rows, "resolution": 8, "groups": _NUM_GROUPS},
        paragraph=(
            "Claim: batch norm couples real images and fakes in a discriminator; no norm, layer, instance, group and "
            f"spectral norm do not. Computed: the gradient of each real image's logit with respect to each of {rows} "
            "images of its call, in a small untrained BigGAN discriminator with every norm that the package has. Came "
            f"out: with batch norm a real image's logit depends on the fakes {shares['batch']:.2f} times as much as on "
            f"itself; with all other norms the gradient is exactly {others:g}. In batches of {sizes[0]} to {sizes[-1]} "
            f"rows the share goes from {by_size[0]:.2f} to {by_size[-1]:.2f}. Where it stops: with stored moments, as "
            f"at inference, batch norm couples nothing ({with_stored_moments:g}). The package sends real images and "
            "fakes through such a discriminator in separate calls, so that the fakes no longer matter, but a real "
            f"image still depends on each other real one, {apart:.2f} times as much as on itself: the rows are coupled "
            "within each call."
        ),
        figure=_draw(shares, np.array(sizes), by_size),
        alt=(
            "Two panels. Above, bars for seven norms: all are 0 but that of batch norm. Below, the coupling of batch "
            "norm over the size of the batch."
        ),
    )


def _draw(shares: dict[str, float], sizes: np.ndarray, by_size: np.ndarray) -> Figure:
    figure, (above, below) = drawing.new_figure("Only batch norm lets a real image's logit depend on the fakes", 2)
    names = [kind.replace("conditional_", "conditional\n") for kind in shares]
    values = list(shares.values())
    colours = [drawing.COLOURS[1 if value else 0] for value in values]
    above.barh(names, values, color=colours, hatch="//")
    for place, value in enumerate(values):
        above.text(value, place, f" {value:.2f}" if value else " 0", va="center", fontsize=10)
    above.invert_yaxis()
    above.margins(x=0.15)
    drawing.label(above, "gradient to the fakes (share of that to the image itself)", "norm of the discriminator")
    below.plot(sizes, by_size)[0].set(**drawing.style(1))
    below.set_xscale("log", base=2)
    below.set_xticks(sizes, [str(size) for size in sizes])
    below.set_ylim(bottom=0.0)
    drawing.label(
        below,
        "images in the call, half of them fakes",
        "gradient to all fakes\n(share of that to itself)",
        "Batch norm",
    )
    return figure


STUDY = Study(
    name="critic_batch_norm",
    title="Batch norm couples real images and fakes",
    claim="Batch norm lets the logit of a real image depend on the fakes of its call; the other norms do not.",
    run=_run,
)
