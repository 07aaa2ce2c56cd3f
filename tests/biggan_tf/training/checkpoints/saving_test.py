import os
import pathlib
import uuid

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import files
from biggan_tf.config import to_dict
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.fixture(scope="module")
def gan():
    made = GAN(tiny.config())
    for number, weight in enumerate(made.weights):
        weight.assign(np.full(weight.shape, number))
    return made


def checkpoints(workdir, gan, **limits):
    config = tiny.config()
    for name, value in limits.items():
        setattr(config.checkpoints, name, value)
    return Checkpoints(str(workdir), config, gan.state())


def record(step, **metrics):
    return checkpoint_files.CheckpointSummary(step, 10 * step, to_dict(tiny.config()), metrics=metrics)


def test_restore_sets_every_variable(tmp_path, gan):
    folder = checkpoints(tmp_path, gan).save(record(1))
    other = GAN(tiny.config())
    assert tiny.digest(other.state()) != tiny.digest(gan.state())
    checkpoints(tmp_path, other).restore(folder)
    assert tiny.digest(other.state()) == tiny.digest(gan.state())


def test_state_holds_every_variable_of_the_model_and_its_optimizers(gan):
    saved = {id(variable) for part in gan.state().values() for variable in part.values()}
    optimizers = gan.generator_update.optimizer.variables + gan.discriminator_update.optimizer.variables
    wanted = [v for v in [*gan.weights, *optimizers] if not v.path.endswith("/learning_rate")]
    assert {id(variable) for variable in wanted} <= saved


def test_save_keeps_the_newest_every_kth_and_the_best(tmp_path, gan):
    keeper = checkpoints(tmp_path, gan, keep=2, keep_every_steps=4)
    for step in range(1, 9):
        keeper.save(record(step, fd=abs(step - 3) + 1.0))
    assert checkpoint_files.list_steps(str(tmp_path)) == [3, 4, 7, 8]


def test_a_summary_keeps_the_order_of_its_metrics(tmp_path, gan):
    folder = checkpoints(tmp_path, gan).save(record(1, psnr=20.0, bicubic_psnr=25.0, accuracy=0.5))
    assert list(checkpoint_files.read_summary(folder).metrics) == ["psnr", "bicubic_psnr", "accuracy"]


def test_the_best_checkpoint_is_that_of_the_configured_metric_where_names_are_sorted(tmp_path, gan):
    config = tiny.config()
    config.checkpoints.keep, config.evaluation.metrics = 1, ("psnr", "sharpness")
    keeper = Checkpoints(str(tmp_path), config, gan.state())
    for step, value in enumerate((20.0, 30.0, 10.0), 1):
        keeper.save(record(step, bicubic_psnr=25.0 + step, psnr=value))
    assert checkpoint_files.list_steps(str(tmp_path)) == [2, 3]


def test_save_to_a_remote_workdir_killed_between_two_files_leaves_the_one_before(gan, monkeypatch):
    workdir = f"ram://saving_test/{uuid.uuid4().hex}"
    first = checkpoints(workdir, gan).save(record(1))
    rename = files.rename

    def die_at_the_last(source, target):
        if source.endswith(checkpoint_files.LIST):
            raise Killed
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files, "rename", die_at_the_last)
        with pytest.raises(Killed):
            checkpoints(workdir, gan).save(record(2))
    assert checkpoint_files.list_steps(workdir) == [1, 2]
    assert checkpoint_files.newest_whole(workdir) == first
    second = checkpoints(workdir, gan).save(record(2))
    assert checkpoint_files.newest_whole(workdir) == second
    assert files.list_folder(files.join(workdir, checkpoint_files.FOLDER)) == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("stage", ["state", "record", "files", "rename"])
def test_save_killed_at_any_stage_leaves_the_one_before(tmp_path, gan, monkeypatch, stage):
    keeper = checkpoints(tmp_path, gan)
    first = keeper.save(record(1))

    def die(*args, **kwargs):
        raise Killed

    if stage == "state":
        monkeypatch.setattr(tf.train.Checkpoint, "write", die)
    elif stage == "record":
        monkeypatch.setattr(checkpoint_files, "write_summary", die)
    elif stage == "files":
        monkeypatch.setattr(checkpoint_files, "_describe", die)
    else:
        monkeypatch.setattr(os, "rename", die)
    with pytest.raises(Killed):
        keeper.save(record(2))
    monkeypatch.undo()
    assert checkpoint_files.newest_whole(str(tmp_path)) == first
    checkpoints(tmp_path, gan).save(record(2))
    assert checkpoint_files.list_steps(str(tmp_path)) == [1, 2]
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["step-00000001", "step-00000002"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (flip, "the content of state.data-00000-of-00001 has changed"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "bytes instead of"),
        (pathlib.Path.unlink, "state.data-00000-of-00001 is missing"),
    ],
)
def test_damage_is_named_and_the_checkpoint_before_is_used(tmp_path, gan, caplog, spoil, message):
    keeper = checkpoints(tmp_path, gan)
    first, second = keeper.save(record(1)), keeper.save(record(2))
    spoil(pathlib.Path(second) / "state.data-00000-of-00001")
    assert checkpoint_files.newest_whole(str(tmp_path)) == first
    assert message in caplog.text
    with pytest.raises(checkpoint_files.CheckpointError, match=message):
        checkpoint_files.newest_whole(str(tmp_path), step=2)


def test_damage_of_all_is_an_error(tmp_path, gan):
    folder = checkpoints(tmp_path, gan).save(record(1))
    pathlib.Path(folder, "files.json").write_text("{")
    with pytest.raises(checkpoint_files.CheckpointError, match=r"files\.json cannot be read"):
        checkpoint_files.newest_whole(str(tmp_path))


def test_restore_refuses_another_architecture(tmp_path, gan):
    folder = checkpoints(tmp_path, gan).save(record(1))
    config = tiny.config()
    config.model.generator_channels = 8
    with pytest.raises(checkpoint_files.CheckpointError, match="must hold every variable"):
        Checkpoints(str(tmp_path), config, GAN(config).state()).restore(folder)


@pytest.mark.parametrize(("ema", "part"), [(True, "ema_generator"), (False, "generator")])
def test_load_generator_gives_the_weights_the_config_and_the_images_seen(tmp_path, gan, ema, part):
    checkpoints(tmp_path, gan).save(record(7))
    generator, config, images_seen = load_generator(tmp_path, ema=ema)
    assert config == tiny.config()
    assert images_seen == 70
    for ours, theirs in zip(generator.weights, getattr(gan, part).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_load_generator_names_what_is_there(tmp_path, gan):
    with pytest.raises(checkpoint_files.CheckpointError, match="without any; train there first"):
        load_generator(tmp_path)
    checkpoints(tmp_path, gan).save(record(7))
    with pytest.raises(checkpoint_files.CheckpointError, match=r"\[7\]. Received: 6"):
        load_generator(tmp_path, step=6)
