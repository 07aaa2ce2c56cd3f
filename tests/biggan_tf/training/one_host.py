"""Trains on one device what two workers train together, and compares with a checkpoint of theirs.

    python -m tests.biggan_tf.training.one_host DATA CHECKPOINT STEPS

Prints the largest difference of a weight. It is a process of its own because Keras draws the seeds of initial weights
from Python's generator, from which the type checks of the tests draw, too.
"""

import sys

import numpy as np
import tensorflow as tf

from biggan_tf.data import manifest
from biggan_tf.data.batch_iterator import BatchIterator
from biggan_tf.training import loop
from biggan_tf.training.checkpoints import saving
from biggan_tf.training.distribution import Cluster
from biggan_tf.training.step_runner import StepRunner
from tests.biggan_tf.training import tiny


def largest_difference(data, checkpoint, num_steps):
    """In float64: without the rounding of float32, which Adam enlarges where a gradient is 0 but for rounding."""
    config = tiny.config()
    config.model.policy = "float64"
    config.data.path = data
    cluster = Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    gan = loop._new_gan(config, manifest.load(data), cluster)
    batch_size, seed = config.training.batch_size, config.training.seed
    shares = [BatchIterator(config.data, batch_size, seed, num_workers=2, worker_index=index) for index in range(2)]

    def both():
        images, labels = zip(*(next(share) for share in shares), strict=True)
        return tf.concat(images, 0), tf.concat(labels, 0)

    runner = StepRunner(cluster, gan, both)
    for _ in range(num_steps):
        runner.run()
    ours = tiny.values(gan.state())
    saving.restore_state(checkpoint, {part: saving.trackables(each) for part, each in gan.state().items()})
    theirs = tiny.values(gan.state())
    return max(float(np.max(np.abs(theirs[name] - value), initial=0)) for name, value in ours.items())


if __name__ == "__main__":
    sys.stdout.write(f"{largest_difference(sys.argv[1], sys.argv[2], int(sys.argv[3]))!r}\n")
