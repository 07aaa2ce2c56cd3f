"""Isometry: spectral norm bounds a gradient by (alpha s_max)^L, and only orthogonal layers stay near that bound."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.evaluation.metrics import spectra
from biggan_tf.games.penalties import orthogonal_gradient
from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.dense import SNDense
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

_KINDS = {"orthogonal kernels": "orthogonal", "normal kernels": "normal"}
_ACTIVATIONS = {"linear": None, "ReLU": "relu"}
_WARM_UP = 20  # calls in training, in which the power iterations find s_max
_STEP_SIZE = 0.02  # of the steps down the orthogonal penalty
_STRENGTH = 0.5  # of that penalty; its gradient is then (W W^T * (1 - I)) W, see `orthogonal_gradient`
_CHANNELS = 32
_FREQUENCIES = 8
_LARGEST_LENGTH = 1.0 + 1e-3  # the bound is 1, and a measured length may exceed it by a thousandth of that


def _run(context: StudyContext) -> StudyResult:
    """Measures gradients through chains of spectrally normalised layers, and D with and without the regulariser."""
    depth, width, repeats, steps = context.sized((6, 32, 1, 60), (16, 128, 2, 150))
    chains = {
        f"{kind}, {name}": _lengths(context, initializer, activation, depth, width, repeats)
        for kind, initializer in _KINDS.items()
        for name, activation in _ACTIVATIONS.items()
    }
    bound_kept = max(float(values.max()) for values in chains.values()) < _LARGEST_LENGTH
    isometric = float(chains["orthogonal kernels, linear"][-1])
    lost = float(chains["normal kernels, linear"][-1])
    deviations, off_diagonal = _regularised(context.random("kernel"), steps)
    layers = _of_model(context)
    held = bound_kept and isometric > 0.99 and deviations[-1] < deviations[0]
    worst = {name: max(found, key=lambda layer: found[layer]) for name, found in layers.items()}
    told = "".join(
        f" In {name} of {context.model.source if context.model else ''} D is {min(layers[name].values()):.2g} to "
        f"{max(layers[name].values()):.2g}, largest in {layer}."
        for name, layer in worst.items()
    )
    return StudyResult(
        holds=held,
        numbers={
            "gradient_lengths": chains,
            "bound": np.ones(depth),
            "deviation_while_regularised": deviations,
            "off_diagonal_while_regularised": off_diagonal,
            "deviation_of_the_model": layers,
        },
        settings={
            "layers": depth,
            "width": width,
            "repeats": repeats,
            "warm_up": _WARM_UP,
            "channels": _CHANNELS,
            "frequencies": _FREQUENCIES,
            "steps": steps,
            "rate": _STEP_SIZE,
            "strength": _STRENGTH,
        },
        paragraph=(
            "Claim: with layers whose largest singular value is s_max and activations of slope alpha at most, a "
            "gradient after L layers is at most (alpha s_max)^L, and it stays near this bound where layers are "
            "isometries; the orthogonal regulariser makes convolutions more isometric. Computed: gradients by the "
            f"input through 1 to {depth} dense layers of spectral norm (s_max = 1), with orthogonal and with normal "
            "kernels, linear and with ReLU; and D, the variance of squared singular values over all frequencies of a "
            f"3 x 3 convolution, over {steps} steps of the regulariser's gradient alone. Came out: no gradient exceeds "
            f"the bound. After {depth} layers a linear chain keeps {isometric:.3f} of the gradient with orthogonal "
            f"kernels and {lost:.1e} with normal ones, and with ReLU "
            f"{chains['orthogonal kernels, ReLU'][-1]:.1e} and {chains['normal kernels, ReLU'][-1]:.1e}. The "
            f"regulariser takes D of the convolution from {deviations[0]:.2f} to {deviations[-1]:.2f}.{told} Where it "
            "stops: the bound is an upper one; ReLU halves the energy even where kernels are orthogonal. The "
            "regulariser makes the kernel's matrix orthogonal, not the convolution at each frequency, so D does not "
            "reach 0; and s_max of the kernel's matrix is not that of the convolution, which can be larger."
        ),
        figure=_figure(chains, deviations, layers),
        alt="Gradient lengths over depth under the bound of 1; D of a convolution falls while it is regularised.",
    )


def _lengths(
    context: StudyContext, initializer: str, activation: str | None, depth: int, width: int, repeats: int
) -> Float64[np.ndarray, " L"]:
    """The length of the gradient by the input, of a random direction of unit length at the output, at each depth."""
    found = []
    for repeat in range(repeats):
        keras.utils.set_random_seed(context.seed + repeat)
        options = SpectralNormOptions(kernel_initializer=initializer)
        layers = [SNDense(width, use_bias=False, spectral_norm=options, dtype="float64") for _ in range(depth)]
        random = context.random(f"input {repeat}")
        x = tf.constant(random.standard_normal((16, width)))
        direction = random.standard_normal((16, width))
        direction = tf.constant(direction / np.linalg.norm(direction, axis=1, keepdims=True))
        for layer in layers:
            for _ in range(_WARM_UP if initializer == "normal" else 1):
                layer(x, training=True)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            hidden, ends = x, []
            for layer in layers:
                hidden = layer(hidden, training=False)
                hidden = keras.activations.get(activation)(hidden)
                ends.append(tf.reduce_sum(hidden * direction))
        gradients = [np.asarray(tape.gradient(end, x)) for end in ends]
        found.append([np.sqrt(np.mean(np.sum(gradient**2, axis=1))) for gradient in gradients])
    return np.mean(found, axis=0)


def _regularised(
    random: np.random.Generator, steps: int
) -> tuple[Float64[np.ndarray, " T"], Float64[np.ndarray, " T"]]:
    """D of a convolution over steps of the orthogonal regulariser alone, and the size of W W^T off its diagonal."""
    kernel = random.standard_normal((3, 3, _CHANNELS, _CHANNELS)) / np.sqrt(9 * _CHANNELS)
    deviations, off_diagonal = [], []
    for _ in range(steps + 1):
        matrix = kernel.reshape(-1, _CHANNELS).T
        products = matrix @ matrix.T
        off_diagonal.append(float(np.linalg.norm(products - np.diag(np.diag(products)))))
        deviations.append(spectra.isometry_deviation(spectra.transfer_matrices(kernel, _FREQUENCIES)))
        kernel = kernel - _STEP_SIZE * np.asarray(orthogonal_gradient(tf.constant(kernel), _STRENGTH))
    return np.array(deviations), np.array(off_diagonal)


def _of_model(context: StudyContext) -> dict[str, dict[str, float]]:
    """D of every layer of the model's networks, by the network and the layer's path."""
    if context.model is None:
        return {}
    networks = {"the generator": context.model.generator, "the discriminator": context.model.discriminator}
    return {name: spectra.layer_deviations(network) for name, network in networks.items() if network is not None}


def _figure(
    chains: dict[str, Float64[np.ndarray, " L"]],
    deviations: Float64[np.ndarray, " T"],
    layers: dict[str, dict[str, float]],
) -> Figure:
    figure, panels = drawing.new_figure(
        "Spectral norm bounds gradients; only isometric layers keep them", 3 if layers else 2
    )
    for number, (name, values) in enumerate(chains.items()):
        panels[0].semilogy(np.arange(1, len(values) + 1), values, label=name, **drawing.style(number))
    panels[0].axhline(1.0, label=r"bound $(\alpha s_{max})^L$", **drawing.THEORY)
    drawing.label(panels[0], "layers between the input and the direction", "length of the gradient\n(at the output: 1)")
    panels[1].plot(np.arange(len(deviations)), deviations, **drawing.style(0, marked=False))
    panels[1].set_ylim(bottom=0.0)
    drawing.label(
        panels[1],
        "steps of the orthogonal regulariser",
        "D: variance of the squared\nsingular values",
        "A 3 x 3 convolution, over all its frequencies",
    )
    for number, (name, found) in enumerate(layers.items()):
        points = drawing.style(number, joined=False)
        panels[2].plot(np.linspace(0, 1, len(found)), list(found.values()), label=name, **points)
    if layers:
        drawing.label(
            panels[2], "layer, from the first (0) to the last (1)", "D: variance of the squared\nsingular values"
        )
    return figure


STUDY = Study(
    name="isometry",
    title="Spectral norm, isometric layers and the length of gradients",
    claim="A gradient through L layers is at most (alpha s_max)^L, and isometric layers keep it near this bound.",
    run=_run,
    uses_run=True,
)
