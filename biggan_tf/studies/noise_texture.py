"""Is independent noise the right model of a texture? A first-order autoregression, fitted to both, tells."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.data import input_pipeline
from biggan_tf.data.manifest import DataError
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.families.stylegan2.blocks import StyledConvolution
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan2.generator import Generator as StyleGAN2Generator
from biggan_tf.ops.blur import blur
from biggan_tf.ops.row_noise import correlate, row_normal
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult
from biggan_tf.studies.studied_model import StudiedModel

_COEFFICIENTS = (0.0, 0.3, 0.6, 0.8, 0.9)
_TOLERANCE = 0.03  # of a fitted coefficient
_BLUR = 2.0  # pixels; what an image has beyond such a blur counts as its texture
_RESOLUTIONS = (16, 32)  # of the StyleGAN2: small, full


def fitted(fields: Float[np.ndarray, "N H W"]) -> float:
    """The coefficient c of x_t = c x_(t-1) + e_t along rows and columns together, by least squares.

    Args:
        fields: Maps with a mean of 0.
    """
    return correlation(fields, 1)


def correlation(fields: Float[np.ndarray, "N H W"], distance: int) -> float:
    """The correlation of pixels at a distance along either axis; for a first-order autoregression c^distance."""
    x = fields.astype(np.float64)
    products = np.sum(x[:, distance:] * x[:, :-distance]) + np.sum(x[:, :, distance:] * x[:, :, :-distance])
    squares = np.sum(x[:, distance:] ** 2 + x[:, :-distance] ** 2) + np.sum(
        x[:, :, distance:] ** 2 + x[:, :, :-distance] ** 2
    )
    return float(products / (0.5 * squares))


def gain(coefficient: float) -> float:
    """How much likelier the autoregression makes a texture than independent noise: -log(1 - c^2), in nats per pixel."""
    return float(-np.log(1.0 - min(coefficient**2, 1.0 - 1e-12)))


def _noise(context: StudyContext, rows: int, size: int, coefficient: float = 0.0) -> Float64[np.ndarray, "N H W"]:
    """The package's noise for the rows of a batch, independent or correlated."""
    keys = tf.constant(context.random("keys").integers(0, 2**31, (rows, 2)), tf.int64)
    noise = tf.reshape(row_normal(keys, size * size), (rows, size, size, 1))
    return np.asarray(correlate(noise, coefficient), np.float64)[..., 0]


def _textures(context: StudyContext, rows: int, size: int) -> dict[str, Float64[np.ndarray, "N H W"]]:
    """Drawn textures: grains, cloth, clouds and stripes."""
    random = context.random("textures")
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    spectrum = np.where(frequency > 0, 1.0 / np.maximum(frequency, 1.0 / size), 0.0)
    white = random.standard_normal((rows, size, size))
    phase = random.uniform(0, 2 * np.pi, (rows, 1, 1))
    stripes = np.sin(2 * np.pi * (np.arange(size)[:, None] + np.arange(size)) / 4 + phase)
    return {
        "sand": white,
        "cloth": _noise(context, rows, size, 0.6),
        "clouds": np.fft.ifft2(np.fft.fft2(white) * spectrum).real,
        "stripes": stripes + 0.1 * white,
    }


def noise_maps(sampler: GeneratorSampler, pairs: int) -> Float64[np.ndarray, "M H W"]:
    """What the noise changes in images: the differences of two images of one latent, a map for each channel.

    Args:
        sampler: The sampler of a generator with noise.
        pairs: How many latents.
    """
    numbers = np.arange(pairs)
    z, embedding = sampler.latents(numbers), sampler.embed(sampler.labels(numbers))
    one, other = (
        np.asarray(sampler.float_images(z, embedding, sampler.keys(numbers + offset)), np.float64)
        for offset in (0, pairs)
    )
    return np.moveaxis(one - other, -1, 1).reshape(-1, *one.shape[1:3])


def _by_level(context: StudyContext, pairs: int, coefficient: float) -> dict[int, float]:
    """The coefficient that the noise of one level has in the images of a small StyleGAN2 with its first weights."""
    config = StyleGAN2Config(
        resolution=context.sized(*_RESOLUTIONS),
        z_dim=8,
        w_dim=8,
        mapping_layers=1,
        channel_base=256,
        channel_max=16,
        noise_correlation=coefficient,
    )
    generator = StyleGAN2Generator(config)
    sampler = GeneratorSampler(generator, seed=context.seed, batch_size=pairs)
    found = {}
    for size in config.levels[1:]:
        for layer in generator.convolutions:
            layer.noise_strength.assign(_strength(layer, size))
        found[size] = fitted(noise_maps(sampler, pairs))
    return found


def _strength(layer: StyledConvolution, size: int) -> float:
    return 1.0 if layer.size == size else 0.0


def _of_model(context: StudyContext) -> StudyResult:
    """Compares the noise maps of a trained generator with the texture of its images."""
    model = context.model
    if model is None or not model.generator.has_noise:
        raise StudyError(
            "noise_texture needs a generator with noise, such as StyleGAN2's. Received: one without; name another."
        )
    pairs = context.sized(4, 32)
    generator = model.generator
    sampler = GeneratorSampler(generator, seed=context.seed, batch_size=pairs)
    maps = noise_maps(sampler, pairs)
    if not np.any(maps):
        raise StudyError(
            "noise_texture needs noise with a strength. Received: a generator whose noise changes nothing; train it on."
        )
    numbers = np.arange(pairs)
    generated = sampler.float_images(
        sampler.latents(numbers), sampler.embed(sampler.labels(numbers)), sampler.keys(numbers)
    )
    real, of_data = _real(context, model, pairs)
    textures = {"texture of generated images": _texture(generated)}
    if real is not None:
        textures["texture of the data"] = _texture(real)
    lags = np.arange(1, 5)
    found = {name: [correlation(x, int(d)) for d in lags] for name, x in {"noise": maps, **textures}.items()}
    judged = list(textures)[-1]
    size = float(np.sqrt(np.mean(maps**2) / 2.0) / max(float(np.std(textures[judged])), 1e-12))
    figure, (axes,) = drawing.new_figure(f"The correlation of noise and of texture in images of {model.source}")
    for number, (name, values) in enumerate(found.items()):
        axes.plot(lags, values, label=name)[0].set(**drawing.style(number))
    axes.set_xticks(lags)
    drawing.label(axes, "distance (pixels)", "correlation")
    first = {name: values[0] for name, values in found.items()}
    told = ", that of the ".join(f"{name} {value:.2f}" for name, value in first.items())
    return StudyResult(
        holds=abs(first["noise"] - first[judged]) > _TOLERANCE,
        numbers={
            "coefficients": first,
            "gain_of_texture": gain(first[judged]),
            "correlations": {name: np.array(values) for name, values in found.items()},
            "noise_against_texture": size,
        },
        settings={"pairs": pairs, "blur": _BLUR, "tolerance": _TOLERANCE, "judged": judged, "data": of_data},
        paragraph=(
            "Claim: the noise of a generator is a wrong model of a texture whose neighbouring pixels correlate "
            "otherwise than those of the noise. Computed: a first-order autoregression fitted to what the noise "
            f"changes in images of {pairs} latents, and to what images have beyond a blur of {_BLUR:g} pixels, their "
            f"texture: of the generator's own images, and of {of_data}. Came out: the coefficient of the {told}; the "
            f"deviation of the noise is {size:.0%} of that of the {judged}. Where it stops: the noise has gone into "
            "the generator's own images, so that only real images tell what it should be; and one coefficient is all "
            "that is compared. At a distance of 2 pixels the correlations are "
            + ", ".join(f"{name} {values[1]:.2f}" for name, values in found.items())
            + "."
        ),
        figure=figure,
        alt="Lines: how the correlation of the noise maps and of the textures falls with the distance.",
    )


def _texture(images: Float[tf.Tensor, "N H W 3"]) -> Float64[np.ndarray, "M H W"]:
    """What images have beyond a blur, a map for each channel."""
    texture = np.asarray(images - blur(images, _BLUR, _BLUR), np.float64)
    return np.moveaxis(texture, -1, 1).reshape(-1, *texture.shape[1:3])


def _real(context: StudyContext, model: StudiedModel, count: int) -> tuple[Float[tf.Tensor, "N H W 3"] | None, str]:
    """The first images of the data in the size of the generated ones, and which they are; None where there are none."""
    data = context.data or model.loaded.data_path
    if not data:
        return None, "no real ones, since no data are named (--data)"
    try:
        images, _ = next(iter(input_pipeline.one_pass(data, count)))
    except DataError:
        if context.data:
            raise
        return None, f"no real ones, since the run's data are no longer at {data}"
    size = model.generator.config.resolution
    if images.shape[1] != size:
        raise StudyError(
            f"The real images must have the generator's {size} pixels. Received: {data} with {images.shape[1]}; name "
            "another folder by --data."
        )
    return images, f"the first {len(images)} of {data}"


def _run(context: StudyContext) -> StudyResult:
    """Fits the autoregression to the package's noise, to drawn textures, and to the noise of a StyleGAN2's levels."""
    if context.model is not None:
        return _of_model(context)
    rows, size, pairs = context.sized((16, 32, 4), (64, 64, 16))
    recovered = np.array([fitted(_noise(context, rows, size, c)) for c in _COEFFICIENTS])
    textures = _textures(context, rows, size)
    coefficients = {name: fitted(fields) for name, fields in textures.items()}
    second = {name: correlation(fields, 2) for name, fields in textures.items()}
    gains = {name: gain(c) for name, c in coefficients.items()}
    levels = {c: _by_level(context, pairs, c) for c in context.sized((0.0,), (0.0, 0.8))}
    deviation = float(np.max(np.abs(recovered - np.array(_COEFFICIENTS))))
    resolution = context.sized(*_RESOLUTIONS)
    finest, coarser = levels[0.0][resolution], levels[0.0][resolution // 2]
    return StudyResult(
        holds=deviation < _TOLERANCE and gains["sand"] < 0.01 < min(gains["cloth"], gains["clouds"]),
        numbers={
            "coefficients_of_noise": np.array(_COEFFICIENTS),
            "fitted_coefficients": recovered,
            "largest_deviation": deviation,
            "coefficients_of_textures": coefficients,
            "correlations_at_two_pixels": second,
            "gains_in_nats_per_pixel": gains,
            "coefficients_by_level": {f"{c:g}": {str(s): v for s, v in by.items()} for c, by in levels.items()},
        },
        settings={"rows": rows, "size": size, "pairs": pairs, "tolerance": _TOLERANCE, "resolution": resolution},
        paragraph=(
            "Claim: independent noise is the wrong model of a texture whose neighbouring pixels correlate, and a "
            "first-order autoregression with the coefficient c tells by how much. Computed: the least-squares fit of c "
            "to the package's noise, independent and correlated on purpose, to four drawn textures, and to what the "
            "noise of each level alone changes in the images of a StyleGAN2 with its first weights. Came out: the fit "
            f"returns the coefficient of the noise within {deviation:.3f}. For sand independent noise is right (c = "
            f"{coefficients['sand']:.2f}); for cloth (c = {coefficients['cloth']:.2f}) and clouds (c = "
            f"{coefficients['clouds']:.2f}) it loses {gains['cloth']:.2f} and {gains['clouds']:.2f} nats per pixel. "
            f"The noise of StyleGAN2's finest level reaches the image with c = {finest:.2f}, that of the level below "
            f"with {coarser:.2f}: correlated textures must come from coarser levels, or from noise that is correlated "
            "itself. Where it stops: c looks at neighbours alone. Stripes with a period of 4 pixels have c = "
            f"{coefficients['stripes']:.2f}, like sand, but a correlation of {second['stripes']:.2f} at 2 pixels, "
            f"where the autoregression says {coefficients['stripes'] ** 2:.2f}."
        ),
        figure=_draw(textures, coefficients, levels),
        alt=(
            "Two panels. Above, correlations over the distance for sand, cloth, clouds and stripes, with the curves "
            "c^d. Below, the coefficient of the noise of each StyleGAN2 level in the image, falling to the finest."
        ),
    )


def _draw(
    textures: dict[str, Float64[np.ndarray, "N H W"]],
    coefficients: dict[str, float],
    levels: dict[float, dict[int, float]],
) -> Figure:
    figure, (above, below) = drawing.new_figure(
        "Independent noise suits sand; cloth and clouds need correlated noise, stripes a longer memory", 2
    )
    lags = np.arange(1, 7)
    for number, (name, fields) in enumerate(textures.items()):
        values = [correlation(fields, int(distance)) for distance in lags]
        above.plot(lags, values, label=f"{name}, c = {coefficients[name]:.2f}")[0].set(**drawing.style(number))
        formula = above.plot(lags, coefficients[name] ** lags, label="c^distance" if number == 0 else None)
        formula[0].set(**drawing.THEORY)
    drawing.label(above, "distance (pixels)", "correlation of two pixels")
    for number, (coefficient, by_level) in enumerate(levels.items()):
        name = f"noise with c = {coefficient:g}"
        below.plot(list(by_level), list(by_level.values()), label=name)[0].set(**drawing.style(number))
    below.set_xscale("log", base=2)
    sizes = list(levels[0.0])
    below.set_xticks(sizes, [str(size) for size in sizes])
    drawing.label(
        below,
        "size of the level that has noise (pixels)",
        "coefficient c in the image",
        f"StyleGAN2 of {sizes[-1]} pixels, noise in one level",
    )
    return figure


STUDY = Study(
    name="noise_texture",
    title="Noise and textures",
    claim="Independent noise is the wrong model of a texture whose neighbouring pixels correlate.",
    run=_run,
    uses_run=True,
)
