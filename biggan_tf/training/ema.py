"""The exponential moving average of a network."""

from __future__ import annotations

from typing import Any

from biggan_tf.training.variables import by_name


class MovingAverage:
    """Keeps a copy of a network near the average of its past.

    Args:
        network: What is trained.
        average: The copy, built alike. It starts with the same values.
        average_buffers: Average batch statistics and u like the weights (the paper's and the PyTorch code), or copy
            them (compare_gan).
    """

    def __init__(self, network: Any, average: Any, average_buffers: bool = True):
        sources, targets = by_name(network), by_name(average)
        self._pairs = [(sources[name], targets[name]) for name in targets]
        self._average_buffers = average_buffers
        for source, target in self._pairs:
            target.assign(source)

    def update(self, decay: Any) -> None:
        """Moves the copy by 1 - decay towards the network; decay 0 makes it equal."""
        for source, target in self._pairs:
            if source.trainable or self._average_buffers:
                # Written so that decay 0 copies to the bit.
                target.assign(decay * target + (1.0 - decay) * source)
            else:
                target.assign(source + 0.0)
