"""Singular values of a network's layers, and how far each is from an isometry."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
from jaxtyping import Complex, Float

from biggan_tf.contracts.network import layers_of
from biggan_tf.progress import track


@dataclasses.dataclass(frozen=True)
class LayerSpectrum:
    """The singular values of one layer's kernel, and of the linear map that a convolution is.

    Attributes:
        name: The path of the layer.
        kernel: Singular values of the kernel as a matrix, largest first; spectral norm divides by the first.
        transfer: Largest and smallest singular value of the transfer matrix at each of F x F frequencies, of the kernel
            divided by its first singular value; None for a layer that is no convolution.
        deviation: The D of `isometry_deviation`, of the kernel divided by its first singular value.
    """

    name: str
    kernel: Float[np.ndarray, " S"]
    transfer: Float[np.ndarray, "F F 2"] | None
    deviation: float


def layer_spectra(network: keras.Model, num_frequencies: int = 8, progress: bool = False) -> list[LayerSpectrum]:
    """The spectra of all kernels of dense layers and convolutions, in the order of the network's variables.

    Args:
        network: Any network; a kernel is what a layer has as its `kernel`.
        num_frequencies: F of `transfer_matrices`.
        progress: Whether a bar counts the variables; not by default.
    """
    layers = layers_of(network, keras.layers.Layer).values()
    kernels = {id(layer.kernel) for layer in layers if getattr(layer, "kernel", None) is not None}
    spectra = []
    variables = network.trainable_variables
    for variable in track(variables, len(variables), "singular values", "variable", progress):
        shape = tuple(variable.shape)
        if id(variable) not in kernels or len(shape) not in (2, 4):
            continue
        kernel = np.asarray(variable, np.float64)
        values = np.linalg.svd(kernel.reshape(-1, shape[-1]), compute_uv=False)
        scaled = kernel / max(values[0], 1e-30)
        transfer = transfer_spectrum(scaled, num_frequencies) if len(shape) == 4 else None
        blocks = transfer_matrices(scaled, num_frequencies) if len(shape) == 4 else scaled[None]
        name = "/".join(variable.path.split("/")[:-1])
        spectra.append(LayerSpectrum(name, values, transfer, isometry_deviation(blocks)))
    return spectra


def transfer_matrices(kernel: Float[np.ndarray, "H W I O"], num_frequencies: int) -> Complex[np.ndarray, "K I O"]:
    """The matrices by which a convolution on a torus multiplies each frequency; its singular values are theirs.

    Args:
        kernel: Of a convolution with I input and O output channels.
        num_frequencies: F, the number of frequencies in each direction and the size of the torus in pixels; at least
            the size of the kernel.

    Returns:
        K = F * F matrices.
    """
    if num_frequencies < max(kernel.shape[:2]):
        raise ValueError(f"num_frequencies must be at least {max(kernel.shape[:2])}. Received: {num_frequencies}")
    # Sedghi, Gupta and Long, 2019, arXiv:1805.10408, theorem 6: the Fourier transform of each pair of channels' kernel.
    transformed = np.fft.fft2(kernel, (num_frequencies, num_frequencies), axes=(0, 1))
    return transformed.reshape(-1, *kernel.shape[2:])


def transfer_spectrum(kernel: Float[np.ndarray, "H W I O"], num_frequencies: int) -> Float[np.ndarray, "F F 2"]:
    """Largest and smallest singular value at each frequency; frequency zero is in the middle."""
    values = np.linalg.svd(transfer_matrices(kernel, num_frequencies), compute_uv=False)
    extremes = np.stack([values[:, 0], values[:, -1]], axis=-1)
    return np.fft.fftshift(extremes.reshape(num_frequencies, num_frequencies, 2), axes=(0, 1))


def isometry_deviation(matrices: Float[np.ndarray, "K I O"] | Complex[np.ndarray, "K I O"]) -> float:
    """D, the mean of ((s / rms(s))^2 - 1)^2 over all singular values s of all matrices.

    0 means that the layer keeps the ratios of all lengths (an isometry, up to scale). D grows as fewer directions take
    more of the energy.
    """
    matrices = matrices if matrices.shape[-2] <= matrices.shape[-1] else np.swapaxes(matrices, -1, -2)
    gram = matrices @ np.conj(np.swapaxes(matrices, -1, -2))
    count = gram.shape[0] * gram.shape[-1]
    energy = float(np.real(np.trace(gram, axis1=-2, axis2=-1)).sum())
    # With N singular values and M all matrices as blocks of one: D = N ||M M*||_F^2 / ||M||_F^4 - 1.
    return count * float(np.sum(np.abs(gram) ** 2)) / max(energy**2, 1e-300) - 1.0
