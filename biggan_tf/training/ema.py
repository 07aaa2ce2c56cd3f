"""The exponential moving average (EMA) of a network."""

from __future__ import annotations

import keras

from biggan_tf.contracts.network import variables_by_path
from biggan_tf.types import Scalar


class MovingAverage:
    """Keeps a copy of a network at the moving average of the weights that the network had so far.

    Args:
        network: The network that is trained.
        ema_network: The copy, another network of the same architecture. Its variables are set to those of `network`
            at once.
        averages_buffers: Whether variables that are not trained (a batch norm's running moments, spectral norm's u) are
            averaged as well, as the paper and the PyTorch BigGAN do it. False copies them, as compare_gan does.
    """

    def __init__(self, network: keras.Model, ema_network: keras.Model, averages_buffers: bool = True):
        sources, targets = variables_by_path(network), variables_by_path(ema_network)
        self._pairs = [(sources[name], targets[name]) for name in targets]
        self._averages_buffers = averages_buffers
        for source, target in self._pairs:
            target.assign(source)

    def update(self, decay: Scalar | float) -> None:
        """Moves the copy towards the network.

        Args:
            decay: The share of its own value that the copy keeps, from 0 to 1; 0 makes it equal to the network.
        """
        for source, target in self._pairs:
            if source.trainable or self._averages_buffers:
                # ema <- decay ema + (1 - decay) w (arXiv:1809.11096, section 3, with decay 0.9999). The equal form
                # ema + (1 - decay) (w - ema) would round, and decay 0 would not give w to the bit.
                target.assign(decay * target + (1.0 - decay) * source)
            else:
                target.assign(source + 0.0)
