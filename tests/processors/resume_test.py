"""A run that ended and went on has the bits of one that did not, so every kernel must give the same sums again."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.training import loop
from biggan_tf.training.checkpoints import files as checkpoint_files
from tests.biggan_tf.training import tiny
from tests.data import made_data

# `make test-processors` runs it in each of its settings; slow keeps it out of `make test`.
pytestmark = [pytest.mark.processor, pytest.mark.slow]


def config(data):
    made = tiny.config(num_steps=4, discriminator_steps=1, ema_decay=0.5)
    made.data.path = str(data)
    made.checkpoints.every_steps = 2
    made.monitoring.log_every_steps = made.monitoring.sample_every_steps = 100
    return made


def values(workdir, step):
    reader = tf.train.load_checkpoint(f"{checkpoint_files.folder_of(str(workdir), step)}/{checkpoint_files.STATE}")
    names = sorted(set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"})
    assert len(names) > 50
    return {name: reader.get_tensor(name) for name in names}


def test_a_resumed_run_equals_the_run_that_was_left_alone(tmp_path):
    made_data.write(tmp_path, num_shards=2, per_shard=30)
    assert loop.train(config(tmp_path), str(tmp_path / "straight")) == loop.DONE
    shutil.copytree(tmp_path / "straight", tmp_path / "resumed")
    shutil.rmtree(checkpoint_files.folder_of(str(tmp_path / "resumed"), 4))
    assert loop.train(config(tmp_path), str(tmp_path / "resumed")) == loop.DONE
    straight, resumed = (values(tmp_path / name, 4) for name in ("straight", "resumed"))
    for name, value in straight.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
