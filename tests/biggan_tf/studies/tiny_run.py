"""The folder of a run as its training leaves it, with as many checkpoints as are asked for, without the training."""

import numpy as np

from biggan_tf.config import to_dict
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.data import made_data


def write(folder, config=None, steps=(20, 30, 40), with_data=True):
    """Writes checkpoints whose weights drift and are noisy, and the data; returns the configuration."""
    config = config or tiny.toy(ema_decay=0.9, ema_start_step=0)
    if with_data:
        config.data.path = str(folder / "data")
        made_data.write(config.data.path, num_shards=1, per_shard=24)
    gan, random = GAN(config), np.random.default_rng(0)
    first = [np.asarray(variable) for variable in gan.generator.trainable_variables]
    averages, paths = variables_by_path(gan.ema_generator), variables_by_path(gan.generator)
    copies = {id(variable): averages[path] for path, variable in paths.items()}
    for step in range(1, max(steps) + 1):
        for variable, value in zip(gan.generator.trainable_variables, first, strict=True):
            variable.assign(value + 0.01 * step + 0.2 * random.standard_normal(value.shape))
            copy = copies[id(variable)]
            copy.assign(0.9 * np.asarray(copy) + 0.1 * np.asarray(variable))
        if step in steps:
            gan.steps_done.assign(step)
            summary = checkpoint_files.CheckpointSummary(step, 8 * step, to_dict(config))
            Checkpoints(str(folder), config, gan.state()).save(summary)
    return config
