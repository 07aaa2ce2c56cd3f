"""Checks the filters that published networks store beside their weights: ours are constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.ops import fir


def check_resampling_filters(
    tensors: Mapping[str, np.ndarray], source: str, ending: str, gains: Sequence[float] = (1.0,)
) -> None:
    """Raises WeightsFileError if tensors hold another filter than StyleGAN2's.

    Args:
        tensors: The tensors by name.
        source: What the error calls them.
        ending: How the names of filters end.
        gains: By which factors a stored filter may have been multiplied.
    """
    own = fir.binomial()
    for name, taps in tensors.items():
        if not name.endswith(ending):
            continue
        if np.shape(taps) != own.shape or not any(np.allclose(taps, gain * own, atol=1e-6) for gain in gains):
            raise WeightsFileError(
                f"Networks are resampled with the filter {fir.BINOMIAL}. Received: {source}, whose {name} is another."
            )
