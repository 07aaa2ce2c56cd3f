"""Singular values of a network's layers, and how far each is from an isometry."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class LayerSpectrum:
    """The singular values of one layer's kernel, and of the linear map that a convolution is.

    Attributes:
        name: Of the layer.
        kernel: Singular values of the kernel as a matrix, falling; the first is what spectral norm divides by.
        transfer: Largest and smallest singular value of the transfer matrix at each frequency, `[F, F, 2]`; None for a
            layer that is no convolution.
        deviation: The D of `isometry_deviation`, of the kernel divided by its first singular value.
    """

    name: str
    kernel: np.ndarray
    transfer: np.ndarray | None
    deviation: float


def layer_spectra(network: Any, num_frequencies: int = 8) -> list[LayerSpectrum]:
    """The spectra of all kernels of rank 2 and 4 of a network, in its order."""
    spectra = []
    for variable in network.trainable_variables:
        shape = tuple(variable.shape)
        if variable.path.rsplit("/", 1)[-1] != "kernel" or len(shape) not in (2, 4):
            continue
        kernel = np.asarray(variable, np.float64)
        values = np.linalg.svd(kernel.reshape(-1, shape[-1]), compute_uv=False)
        scaled = kernel / max(values[0], 1e-30)
        transfer = transfer_spectrum(scaled, num_frequencies) if len(shape) == 4 else None
        blocks = transfer_matrices(scaled, num_frequencies) if len(shape) == 4 else scaled[None]
        name = "/".join(variable.path.split("/")[:-1])
        spectra.append(LayerSpectrum(name, values, transfer, isometry_deviation(blocks)))
    return spectra


def transfer_matrices(kernel: np.ndarray, num_frequencies: int) -> np.ndarray:
    """A convolution on a torus is one matrix at each frequency (Sedghi, Gupta and Long, 2019, theorem 6).

    Args:
        kernel: `[h, w, in, out]`.
        num_frequencies: F, in each direction; the size of the torus, at least that of the kernel.

    Returns:
        Complex `[F * F, in, out]`.
    """
    if num_frequencies < max(kernel.shape[:2]):
        raise ValueError(f"num_frequencies must be at least {max(kernel.shape[:2])}. Received: {num_frequencies}")
    transformed = np.fft.fft2(kernel, (num_frequencies, num_frequencies), axes=(0, 1))
    return transformed.reshape(-1, *kernel.shape[2:])


def transfer_spectrum(kernel: np.ndarray, num_frequencies: int) -> np.ndarray:
    """Largest and smallest singular value at each frequency, zero frequency in the middle, `[F, F, 2]`."""
    values = np.linalg.svd(transfer_matrices(kernel, num_frequencies), compute_uv=False)
    extremes = np.stack([values[:, 0], values[:, -1]], axis=-1)
    return np.fft.fftshift(extremes.reshape(num_frequencies, num_frequencies, 2), axes=(0, 1))


def isometry_deviation(matrices: np.ndarray) -> float:
    """D = mean over matrices of the squared deviation of (s / rms(s))^2 from 1, over all their singular values s.

    0 means that the layer turns and scales but does not stretch; it grows as few directions take all the energy. It
    equals N ||M M*||_F^2 / ||M||_F^4 - 1, so that no singular value is computed for it.
    """
    matrices = matrices if matrices.shape[-2] <= matrices.shape[-1] else np.swapaxes(matrices, -1, -2)
    gram = matrices @ np.conj(np.swapaxes(matrices, -1, -2))
    count = gram.shape[0] * gram.shape[-1]
    energy = float(np.real(np.trace(gram, axis1=-2, axis2=-1)).sum())
    return count * float(np.sum(np.abs(gram) ** 2)) / max(energy**2, 1e-300) - 1.0
