"""The mapping network: how far the images are from an isometry of z and of w, and how long the paths are in both."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure

from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.metrics.jacobian_isometry import jacobian_isometry
from biggan_tf.evaluation.metrics.style_path import StylePath
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan2.generator import Generator as StyleGAN2Generator
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult

_SIZE = 16  # values of z and of w in the small generators
_EPSILON = 1e-2  # of the paths; pixels in float32 are too coarse for the authors' 1e-4
_PIXELS = FeatureProtocol("pixels", "", "none")


class _Measured(NamedTuple):
    """What was measured of one generator.

    Attributes:
        jodi_z: The Jacobian orthogonality deviation index with respect to z.
        jodi_w: The Jacobian orthogonality deviation index with respect to w.
        path_z: The perceptual path length in z, on pixels.
        path_w: The perceptual path length in w, on pixels.
    """

    jodi_z: float
    jodi_w: float
    path_z: float
    path_w: float


def pixel_extractor(resolution: int) -> FeatureExtractor:
    """Features that are the pixels themselves, so that no weights are needed.

    Args:
        resolution: The height and width of the images.
    """
    images = keras.Input((resolution, resolution, 3))
    values = keras.layers.Flatten()(images)
    return FeatureExtractor(_PIXELS, keras.Model(images, (values, values)), lambda x: x, "pixel_distance")


def _measured(generator: Generator, seed: int, num_images: int, num_pairs: int) -> _Measured:
    sampler = GeneratorSampler(generator, seed=seed, batch_size=min(32, num_pairs))
    extractor = pixel_extractor(generator.config.resolution)
    path = StylePath(num_pairs, _EPSILON)
    return _Measured(
        jacobian_isometry("jodi_z", sampler, num_images),
        jacobian_isometry("jodi_w", sampler, num_images),
        path.measure("ppl_z_full", sampler, extractor),
        path.measure("ppl_w_full", sampler, extractor),
    )


def _of_model(context: StudyContext) -> StudyResult:
    """Measures a trained generator."""
    model = context.model
    if model is None or not isinstance(model.generator, StyleGenerator):
        raise StudyError(
            "mapping_network needs a generator with a mapping network, such as StyleGAN2's. Received: one without; "
            "name another."
        )
    num_images, num_pairs = context.sized((1, 8), (6, 200))
    found = _measured(model.generator, context.seed, num_images, num_pairs)
    figure, panels = drawing.new_figure(f"How even the steps of {model.source} are in z and in w", 2, 2.6)
    for axes, values, unit in (
        (panels[0], (found.jodi_z, found.jodi_w), "JODI (0: an isometry)"),
        (panels[1], (found.path_z, found.path_w), "path length on pixels\n(squared, per step^2)"),
    ):
        axes.bar(["z", "w"], values, color=drawing.COLOURS[:2], hatch="//")
        drawing.label(axes, "space", unit)
    return StudyResult(
        holds=found.jodi_w < found.jodi_z and found.path_w < found.path_z,
        numbers=dict(found._asdict()),
        settings={"images": num_images, "pairs": num_pairs, "epsilon": _EPSILON, "features": "pixels"},
        paragraph=(
            "Claim: the mapping network lets a generator be closer to an isometry in w than in z, with shorter paths. "
            f"Computed: JODI over {num_images} images and the path length over {num_pairs} steps, on pixels. Came out: "
            f"JODI is {found.jodi_z:.3g} in z and {found.jodi_w:.3g} in w; the path length is {found.path_z:.3g} in z "
            f"and {found.path_w:.3g} in w. Where it stops: z is followed on a sphere and w along a line, whose lengths "
            "have no unit in common; so the two path lengths say how even the images change, and not how far; and "
            "pixels are no perception, so these lengths are not those of other studies."
        ),
        figure=figure,
        alt="Two panels of bars: JODI and the path length, in z and in w.",
    )


def _run(context: StudyContext) -> StudyResult:
    """Measures small StyleGAN2s with their first weights, over the depth of the mapping network."""
    if context.model is not None:
        return _of_model(context)
    depths, num_images, num_pairs = context.sized(((1, 4), 1, 8), ((1, 2, 4, 8), 3, 64))
    resolution = context.sized(8, 16)
    found = {}
    for depth in depths:
        keras.utils.set_random_seed(context.seed)
        config = StyleGAN2Config(
            resolution=resolution,
            z_dim=_SIZE,
            w_dim=_SIZE,
            mapping_layers=depth,
            channel_base=16 * resolution,
            channel_max=16,
        )
        found[depth] = _measured(StyleGAN2Generator(config), context.seed, num_images, num_pairs)
    ratios = np.array([one.jodi_z / one.jodi_w for one in found.values()])
    first, last = found[depths[0]], found[depths[-1]]
    return StudyResult(
        holds=bool(np.all(ratios > 1.0)),
        numbers={
            "depths": np.array(depths),
            **{name: np.array([getattr(one, name) for one in found.values()]) for name in _Measured._fields},
            "jodi_ratios": ratios,
            "path_ratios": np.array([one.path_z / one.path_w for one in found.values()]),
        },
        settings={
            "images": num_images,
            "pairs": num_pairs,
            "epsilon": _EPSILON,
            "features": "pixels",
            "resolution": resolution,
            "size_of_z_and_w": _SIZE,
        },
        paragraph=(
            "Claim: a generator with a mapping network is closer to an isometry in w than in z. Computed: JODI, how "
            "unequally the directions of a space change the image, and the path "
            f"length on pixels, for StyleGAN2s of {resolution} pixels with their first weights and mapping networks of "
            f"{depths[0]} to {depths[-1]} layers. Came out: in z JODI is {first.jodi_z:.2f} with {depths[0]} layer and "
            f"{last.jodi_z:.2f} with {depths[-1]}; in w it is {first.jodi_w:.2f} and {last.jodi_w:.2f}. The path in z "
            f"is {first.path_z / first.path_w:.2f} and {last.path_z / last.path_w:.2f} times as long as that in w. "
            "Where it stops: these weights are untrained, so this is what the architecture begins with: every layer of "
            "the mapping stretches z unevenly, and the synthesis sees none of that in w. Whether training uses the "
            "freedom to make w even is a question for a run, which this study answers with --workdir. The path lengths "
            "compare a sphere in z with lines in w, whose steps have no unit in common."
        ),
        figure=_draw(found),
        alt="Two panels over the depth of the mapping network: JODI, and the path length, in z and in w.",
    )


def _draw(found: dict[int, _Measured]) -> Figure:
    figure, panels = drawing.new_figure(
        "The deeper the mapping network, the less even are steps in z; those in w stay as they are", 2
    )
    depths = list(found)
    for axes, quantity, unit in (
        (panels[0], "jodi", "JODI (0: an isometry)"),
        (panels[1], "path", "path length on pixels\n(squared, per step^2)"),
    ):
        for number, space in enumerate("zw"):
            values = [getattr(one, f"{quantity}_{space}") for one in found.values()]
            axes.plot(depths, values, label=f"in {space}")[0].set(**drawing.style(number))
        axes.set_xscale("log", base=2)
        axes.set_xticks(depths, [str(depth) for depth in depths])
        axes.set_ylim(bottom=0.0)
        drawing.label(axes, "layers of the mapping network", unit)
    return figure


STUDY = Study(
    name="mapping_network",
    title="The mapping network",
    claim="A generator with a mapping network is closer to an isometry in w than in z.",
    run=_run,
    uses_run=True,
)
