"""Runs of version 0.1 are read to the bit, and go on to where version 0.1 went.

The runs were written by version 0.1 (tests/data/version_0_1). What is read must be equal to the bit. What is computed
from it is equal to the bit on the processor that they were made on; another one sums in another order.
"""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, from_dict
from biggan_tf.training import loop
from biggan_tf.training.checkpoints import files, loading
from biggan_tf.training.gan import GAN

OLD = pathlib.Path(__file__).parents[2] / "data" / "version_0_1"
RUNS = ("run_float32", "run_float16")


def _stored(folder):
    """Every variable of a checkpoint by name, and nothing of its bookkeeping."""
    reader = tf.train.load_checkpoint(f"{folder}/state")
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith(suffix)]
    return {name.removesuffix(suffix).replace(".S", "/"): reader.get_tensor(name) for name in names}


def _values(state):
    return {f"{part}/{name}": np.asarray(v) for part, variables in state.items() for name, v in variables.items()}


def _config(workdir, step):
    values = files.read_summary(files.folder_of(str(workdir), step)).config
    config = from_dict(Config, values)
    config.data.path = str(OLD / "shapes" / "32")
    return config


@pytest.mark.parametrize("run", RUNS)
def test_state_has_the_names_and_shapes_that_version_0_1_stored(run):
    stored = _stored(OLD / run / "checkpoints" / "step-00000008")
    ours = _values(GAN(_config(OLD / run, 8)).state())
    assert {name: value.shape for name, value in ours.items()} == {n: v.shape for n, v in stored.items()}
    assert {name: value.dtype for name, value in ours.items()} == {n: v.dtype for n, v in stored.items()}


@pytest.mark.parametrize("run", RUNS)
def test_networks_are_read_to_the_bit(run):
    stored = _stored(OLD / run / "checkpoints" / "step-00000008")
    generator, config, images_seen = loading.load_generator(OLD / run)
    networks = {"average_generator": generator, "discriminator": loading.load_discriminator(OLD / run)}
    for part, network in networks.items():
        for variable in network.weights:
            name = f"{part}/{variable.path.partition('/')[2]}"
            np.testing.assert_array_equal(variable, stored[name], name)
    assert images_seen == stored["progress/images_seen"]
    assert config.model.kind == "biggan"


@pytest.mark.parametrize("run", [RUNS[0], pytest.param(RUNS[1], marks=pytest.mark.slow)])
def test_a_run_goes_on_to_where_version_0_1_went(run, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(OLD / run, workdir)
    shutil.rmtree(workdir / "checkpoints" / "step-00000008")
    config = _config(workdir, 4)
    # The data lies elsewhere now; a run whose data.path changes would begin its data again.
    folder = files.folder_of(str(workdir), 4)
    record = files.read_summary(folder)
    record.config["data"]["path"] = config.data.path
    files.write_summary(folder, record)
    assert loop.train(config, str(workdir)) == loop.DONE
    ours = _stored(workdir / "checkpoints" / "step-00000008")
    theirs = _stored(OLD / run / "checkpoints" / "step-00000008")
    assert set(ours) == set(theirs)
    for name in ("steps_done", "images_seen", "random_key"):
        np.testing.assert_array_equal(ours[f"progress/{name}"], theirs[f"progress/{name}"])
    for part in sorted({name.partition("/")[0] for name in theirs}):
        apart, whole = (
            np.linalg.norm([np.linalg.norm(value) for value in values])
            for values in zip(
                *((ours[n].astype(float) - v, v.astype(float)) for n, v in theirs.items() if n.startswith(part)),
                strict=True,
            )
        )
        assert apart <= 0.01 * whole, part
    # Of the last update of D in the step. Version 0.1 reported its loss alone, and now both updates count for `d_loss`.
    for name in ("d_real", "d_fake"):
        assert _line(workdir, 5)[name] == pytest.approx(_line(OLD / run, 5)[name], rel=0.01)


def _line(workdir, step):
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return next(line for line in lines if line["step"] == step)
