"""Demodulation: the variance of a modulated convolution's output does not depend on the scale of the style."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from jaxtyping import Float32, Float64
from matplotlib.figure import Figure

from biggan_tf.ops.modulation import modulated_convolution
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

_SCALES = np.logspace(-3, 3, 13)
_CORRELATIONS = np.array([0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])
_CHANNELS = 32
_KERNEL_SIZE = 3
_RESOLUTION = 16
_STYLE_DEVIATION = 0.5  # of the logarithm of the styles
_TOLERANCE_OF_SCALE = 1e-3  # relative; what is left is the epsilon of 1e-8 in the divisor
_TOLERANCE_OF_ONE = 0.1  # how far the variance with independent inputs may lie from 1
_KINDS = {"zero-mean weights": False, "weights of one sign": True}


@dataclasses.dataclass(frozen=True)
class _Draw:
    """A random kernel with a style, and the parts of inputs: what each channel has alone, and what all share."""

    kernel: Float32[np.ndarray, "k k I O"]
    style: Float32[np.ndarray, " I"]
    own: Float32[np.ndarray, "N H W I"]
    shared: Float32[np.ndarray, "N H W 1"]

    @classmethod
    def of(cls, random: np.random.Generator, rows: int) -> _Draw:
        def normal(*shape: int) -> np.ndarray:
            return random.standard_normal(shape, np.float32)

        return cls(
            normal(_KERNEL_SIZE, _KERNEL_SIZE, _CHANNELS, _CHANNELS),
            np.exp(np.float32(_STYLE_DEVIATION) * normal(_CHANNELS)),
            normal(rows, _RESOLUTION, _RESOLUTION, _CHANNELS),
            normal(rows, _RESOLUTION, _RESOLUTION, 1),
        )

    def variances(
        self, scale: float = 1.0, correlation: float = 0.0, demodulates: bool = True, one_sign: bool = False
    ) -> Float64[np.ndarray, " O"]:
        """The variance of each output channel, where inputs have variance 1 and the given correlation."""
        x = np.sqrt(correlation) * self.shared + np.sqrt(1.0 - correlation) * self.own
        styles = np.tile(self.style * np.float32(scale), (len(x), 1))
        kernel = np.abs(self.kernel) if one_sign else self.kernel
        y = modulated_convolution(
            tf.constant(x, tf.float32), tf.constant(kernel), tf.constant(styles, tf.float32), demodulates
        )
        inside = np.asarray(y, np.float64)[:, 1:-1, 1:-1]  # at the border, zeros are a part of the input
        return inside.var(axis=(0, 1, 2))

    def expected(self, correlation: float, one_sign: bool = False) -> Float64[np.ndarray, " O"]:
        """The same from the kernel: sum_k (1 - rho) sum_i (s_i w_iok)^2 + rho (sum_i s_i w_iok)^2, demodulated."""
        kernel = np.abs(self.kernel) if one_sign else self.kernel
        weights = kernel.astype(np.float64) * self.style[:, None]
        alone, together = np.sum(weights**2, axis=(0, 1, 2)), np.sum(np.sum(weights, axis=2) ** 2, axis=(0, 1))
        return ((1.0 - correlation) * alone + correlation * together) / alone


def _run(context: StudyContext) -> StudyResult:
    """Measures the output's variance over scales of the style, and over correlations between the input's channels."""
    rows, repeats = context.sized((8, 2), (64, 6))
    draws = [_Draw.of(context.random(f"kernel {number}"), rows) for number in range(repeats)]
    over_scales = {
        demodulates: np.array([np.mean([draw.variances(s, 0.0, demodulates) for draw in draws]) for s in _SCALES])
        for demodulates in (True, False)
    }
    measured, expected = {}, {}
    for name, one_sign in _KINDS.items():
        measured[name] = np.array([[d.variances(1.0, rho, True, one_sign) for d in draws] for rho in _CORRELATIONS])
        expected[name] = np.array([np.mean([d.expected(rho, one_sign) for d in draws]) for rho in _CORRELATIONS])
    channels = measured["zero-mean weights"].reshape(len(_CORRELATIONS), -1)
    numbers = {
        "scales": _SCALES,
        "variance_demodulated": over_scales[True],
        "variance_modulated_alone": over_scales[False],
        "spread_over_scales": float(over_scales[True].max() / over_scales[True].min() - 1.0),
        "decades_modulated_alone": float(np.log10(over_scales[False][-1] / over_scales[False][0])),
        "correlations": _CORRELATIONS,
        "variance_by_weights": {name: values.mean(axis=(1, 2)) for name, values in measured.items()},
        "expected_by_weights": expected,
        "deviation_between_channels": channels.std(axis=1),
    }
    at_independence = float(channels[0].mean())
    return StudyResult(
        holds=numbers["spread_over_scales"] < _TOLERANCE_OF_SCALE and abs(at_independence - 1.0) < _TOLERANCE_OF_ONE,
        numbers=numbers,
        settings={
            "rows": rows,
            "kernels": repeats,
            "channels": _CHANNELS,
            "kernel_size": _KERNEL_SIZE,
            "resolution": _RESOLUTION,
            "deviation_of_log_style": _STYLE_DEVIATION,
            "tolerance_of_scale": _TOLERANCE_OF_SCALE,
            "tolerance_of_one": _TOLERANCE_OF_ONE,
        },
        paragraph=(
            "Claim: after demodulation the variance of a convolution's output does not depend on the scale of the "
            "style, and with independent inputs it is the variance of the input. Computed: StyleGAN's modulated "
            f"convolution with {repeats} random kernels of {_CHANNELS} channels, over styles scaled by 0.001 to 1000, "
            "and over inputs whose channels have a part in common. Came out: over all scales the variance changes by "
            f"{numbers['spread_over_scales']:.1g} of itself, while modulation alone spans "
            f"{numbers['decades_modulated_alone']:.0f} powers of ten; with independent inputs it is "
            f"{at_independence:.3f}. Where it stops: the divisor knows the kernel and the style, not the input. At a "
            f"correlation of {_CORRELATIONS[-1]:g} between the channels, kernels of zero mean still give "
            f"{channels[-1].mean():.2f} on average, but their output channels then differ by a deviation of "
            f"{channels[-1].std():.2f}, against {channels[0].std():.2f} for independent inputs; kernels whose weights "
            f"have one sign give {measured['weights of one sign'][-1].mean():.1f}."
        ),
        figure=_draw_figure(over_scales, measured, expected),
        alt=(
            "Two panels. Above, the output's variance over the style's scale: flat with demodulation, a steep line "
            "without. Below, over the correlation of inputs: about 1 for zero-mean weights, growing for weights of one "
            "sign, as the formula says."
        ),
    )


def _draw_figure(
    over_scales: dict[bool, np.ndarray], measured: dict[str, np.ndarray], expected: dict[str, np.ndarray]
) -> Figure:
    figure, (above, below) = drawing.new_figure(
        "Demodulation takes the style's scale out of the output; it relies on independent inputs", 2
    )
    for number, (demodulates, name) in enumerate(((True, "demodulated"), (False, "modulated alone"))):
        above.loglog(_SCALES, over_scales[demodulates], label=name, **drawing.style(number))
    drawing.label(above, "scale of the style (factor)", "variance of the output\n(input: 1)")
    for number, name in enumerate(_KINDS):
        values = measured[name].reshape(len(_CORRELATIONS), -1)
        below.semilogy(_CORRELATIONS, values.mean(axis=1), label=name, **drawing.style(number))
        low, high = np.quantile(values, (0.1, 0.9), axis=1)
        below.fill_between(_CORRELATIONS, low, high, color=drawing.COLOURS[number], alpha=0.2, linewidth=0)
        theory = "formula" if number == 0 else "_nolegend_"
        below.semilogy(_CORRELATIONS, expected[name], label=theory, **drawing.THEORY)
    drawing.label(
        below,
        "correlation between two input channels",
        "variance of the output\n(input: 1)",
        "Demodulated; bands: 80% of the output channels",
    )
    return figure


STUDY = Study(
    name="demodulation",
    title="Demodulation and the scale of the style",
    claim="After demodulation the output's variance does not depend on the scale of the style.",
    run=_run,
)
