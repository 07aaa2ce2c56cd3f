"""Two whole training steps, all four phases, against what NVIDIA's code computed; see parity_test.py."""

import json

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.games.config import StyleGAN2GameConfig
from biggan_tf.interop import from_state_dict
from biggan_tf.training.gan import GAN
from biggan_tf.training.round import Sample, TrainingRound
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc

pytestmark = [pytest.mark.processor, needs_parity]
CASES = [path.parent for path in PARITY.glob("stylegan2_*/settings.json") if json.loads(path.read_text())["step"]]


def gan_of(folder, policy):
    settings = json.loads((folder / "settings.json").read_text())
    given, step = [dict(np.load(folder / f"{network}.npz")) for network in "GD"], settings["step"]
    networks = from_state_dict("stylegan2", settings, *given, policy=policy)
    config = Config(model=networks[0].config)
    config.model.noise = "constant"
    config.game = StyleGAN2GameConfig(
        r1_gamma=settings["r1_gamma"],
        r1_every=step["d_interval"],
        path_length_weight=settings["pl_weight"],
        path_length_every=step["g_interval"],
        path_length_decay=settings["pl_decay"],
        style_mixing=0.0,
    )
    training = config.training
    training.batch_size = step["batch_size"]
    training.ema_half_life_images = int(step["ema_kimg"] * 1000)
    training.ema_warmup_ratio, training.ema_warmup_counts_step = step["ema_rampup"], False
    for optimizer in (training.generator, training.discriminator):
        optimizer.learning_rate, (optimizer.beta_1, optimizer.beta_2) = step["lr"], step["betas"]
        optimizer.epsilon = step["eps"]
    gan = GAN(config)
    for ours, loaded in (
        (gan.generator, networks[0]),
        (gan.ema_generator, networks[0]),
        (gan.discriminator, networks[1]),
    ):
        values = variables_by_path(loaded)
        for name, variable in variables_by_path(ours).items():
            variable.assign(values[name])
    gan.images_seen.assign(step["start_images"])
    return gan


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
@pytest.mark.parametrize("policy", ["float64", "float32"])
def test_whole_steps_are_nvidias(folder, policy, monkeypatch):
    gan, io = gan_of(folder, policy), np.load(folder / "io.npz")
    names = {("generator", ""): "Gmain", ("generator", "path"): "Greg", ("discriminator", ""): "Dmain"}
    names["discriminator", "r1"] = "Dreg"
    keys = tf.zeros([4, 2], tf.int64)
    for number in range(2):
        for phase in gan.phases:
            if number % phase.every:
                continue
            prefix = f"step/{number}/{names[phase.trains, phase.name]}"
            rows = int(4 * phase.batch_share)
            labels = tf.zeros([rows], tf.int32)
            real = Batch(tf.constant(nhwc(io[f"step/{number}/real"])), tf.zeros([4], tf.int32))
            if f"{prefix}/image_noise" in io.files:
                noise = tf.constant(nhwc(io[f"{prefix}/image_noise"]))
                monkeypatch.setattr(TrainingRound, "random_normal", lambda self, shape, noise=noise: noise)
            sample = Sample(tf.constant(io[f"{prefix}/z"])[:rows], labels, keys[:rows])
            part = gan.gradients(phase, real if phase.reads_data else None, 4, 0, sample)
            gan.update(phase, [part])
        gan.end_step()
    assert float(gan.state()["game"]["mean_path_length"]) == pytest.approx(float(io["step/pl_mean_after"]), rel=1e-5)
    for letter, network in (("G", gan.generator), ("D", gan.discriminator), ("G_ema", gan.ema_generator)):
        entries_of = pytorch_names.discriminator_entries if letter == "D" else pytorch_names.generator_entries
        compared, apart, size = 0, 0.0, 0.0
        for entry in entries_of(network):
            name = f"step/after/{letter}/{entry.name}"
            if name in io.files:
                expected = io[name].astype(np.float64)
                apart += np.sum(np.square(entry.to_torch(np.asarray(entry.variable)) - expected))
                size += np.sum(np.square(expected))
                compared += 1
        assert compared == sum(name.startswith(f"step/after/{letter}/") for name in io.files)
        assert np.sqrt(apart / size) < {"float64": 1e-4, "float32": 1e-3}[policy], letter
