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
    """

    name: str
    kernel: Float[np.ndarray, " S"]
    transfer: Float[np.ndarray, "F F 2"] | None


def layer_spectra(network: keras.Model, num_frequencies: int = 8, progress: bool = False) -> list[LayerSpectrum]:
    """The spectra of all kernels of dense layers and convolutions, in the order of the network's variables.

    Args:
        network: Any network; a kernel is what a layer has as its `kernel`.
        num_frequencies: F of `transfer_matrices`.
        progress: Whether a bar counts the kernels; not by default.
    """
    spectra = []
    kernels = _kernels(network)
    for name, variable in track(kernels, len(kernels), "singular values", "kernel", progress):
        kernel = np.asarray(variable, np.float64)
        values = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        scaled = kernel / max(values[0], 1e-30)
        transfer = transfer_spectrum(scaled, num_frequencies) if kernel.ndim == 4 else None
        spectra.append(LayerSpectrum(name, values, transfer))
    return spectra


def layer_deviations(network: keras.Model) -> dict[str, float]:
    """The D of `isometry_deviation` of every dense layer and convolution, by the path of the layer.

    No singular value is computed: those of a wide layer take minutes.

    Args:
        network: Any network; a kernel is what a layer has as its `kernel`.
    """
    return {name: kernel_deviation(np.asarray(kernel, np.float64)) for name, kernel in _kernels(network)}


def _kernels(network: keras.Model) -> list[tuple[str, keras.Variable]]:
    """The path and the kernel of each layer with a kernel of two or four axes."""
    layers = layers_of(network, keras.layers.Layer).values()
    kernels = {id(layer.kernel) for layer in layers if getattr(layer, "kernel", None) is not None}
    return [
        ("/".join(variable.path.split("/")[:-1]), variable)
        for variable in network.trainable_variables
        if id(variable) in kernels and len(variable.shape) in (2, 4)
    ]


def transfer_matrices(kernel: Float[np.ndarray, "H W I O"], num_frequencies: int) -> Complex[np.ndarray, "K I O"]:
    """The matrices by which a convolution on a torus multiplies each frequency; its singular values are theirs.

    Args:
        kernel: The kernel of a convolution with I input and O output channels.
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


def kernel_deviation(kernel: Float[np.ndarray, "I O"] | Float[np.ndarray, "H W I O"]) -> float:
    """The D of `isometry_deviation` of a dense layer, or of a convolution over all frequencies of any large torus.

    Args:
        kernel: The kernel of the layer; its scale plays no part.
    """
    if kernel.ndim == 2:
        return isometry_deviation(kernel[None])
    # By Parseval's theorem the sums over frequencies of |M|^2 and |M M*|^2 are those of the kernel's matrices K_p over
    # places p, and of R_d = sum_p K_p K_(p + d)^T over displacements d, times the number of frequencies. With n
    # singular values at each frequency, D = n sum_d |R_d|^2 / (sum_p |K_p|^2)^2 - 1, in which that number cancels.
    kernel = kernel if kernel.shape[2] <= kernel.shape[3] else np.swapaxes(kernel, 2, 3)
    height, width = kernel.shape[:2]
    places = [(y, x) for y in range(height) for x in range(width)]
    total = 0.0
    for y in range(height):
        for x in range(-width + 1 if y else 0, width):  # R_(-d) is the transpose of R_d
            pairs = [(a, (a[0] + y, a[1] + x)) for a in places if (a[0] + y, a[1] + x) in places]
            product = sum(kernel[one] @ kernel[other].T for one, other in pairs)
            total += float(np.sum(product**2)) * (1.0 if (y, x) == (0, 0) else 2.0)
    return kernel.shape[2] * total / max(float(np.sum(kernel**2)) ** 2, 1e-300) - 1.0
