"""Numbers of a test in the place of random ones, for transforms that draw a parameter and a gate in turns."""

import itertools

import tensorflow as tf

PASSED, LEFT_OUT = 0.0, 1.0  # gates, with any probability


class Given:
    """Gives these numbers, each to all rows, in the order of the calls.

    Args:
        rows: How many rows there are.
        *numbers: A number or an array for each call.
    """

    def __init__(self, rows, *numbers):
        self._rows, self._numbers = rows, iter(numbers)

    def uniform(self, *shape):
        number = tf.constant(next(self._numbers), tf.float64)
        return tf.broadcast_to(number, (self._rows, *shape))

    normal = uniform


def only(rows, position, parameter, count):
    """Draws for `count` transforms, of which the one at a position is applied."""
    pairs = [(parameter, PASSED) if i == position else (0.3, LEFT_OUT) for i in range(count)]
    return Given(rows, *itertools.chain(*pairs))
