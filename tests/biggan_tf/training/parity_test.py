"""One whole training step against what the public PyTorch BigGAN computed.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.families.biggan import pytorch_names as biggan_pytorch_names
from biggan_tf.training.gan import GAN
from tests.biggan_tf.parity_cases import ParityCase, every_case, in_both_precisions, needs_parity, nhwc
from tests.biggan_tf.training import tiny

pytestmark = [pytest.mark.processor, needs_parity]


def gan_of(case):
    """A GAN with the case's weights and the case's optimizer settings."""
    networks = case.networks()
    config = Config(model=networks[0].config)
    settings = case.settings["step"]
    config.game.orthogonal_strength = settings["ortho"]
    for name, letter in (("generator", "G"), ("discriminator", "D")):
        optimizer = getattr(config.training, name)
        optimizer.learning_rate = settings[f"{letter}_lr"]
        optimizer.beta_1, optimizer.beta_2 = settings["betas"]
        optimizer.epsilon = settings["adam_eps"]
    gan = GAN(config)
    for ours, loaded in zip((gan.generator, gan.discriminator), networks, strict=True):
        values = variables_by_path(loaded)
        for name, variable in variables_by_path(ours).items():
            variable.assign(values[name])
    return gan


@in_both_precisions
@every_case
def test_whole_step_is_ajbs(case, policy):
    """Two D steps, one G step, orthogonal regularisation, Adam."""
    case = ParityCase(case, policy)
    gan = gan_of(case)
    for index in range(case.settings["step"]["num_d_steps"]):
        z, fake_labels, images, labels = (case.inputs[f"step/d{index}/{name}"] for name in ("z", "y", "x", "dy"))
        given = map(tf.constant, (z, fake_labels, nhwc(images), labels))
        gan.update(gan.phases[0], [tiny.discriminator_gradients(gan, *given)])
    given = (tf.constant(case.inputs[f"step/g/{name}"]) for name in ("z", "y"))
    gan.update(gan.phases[1], [tiny.generator_gradients(gan, *given)])
    gan.end_step()
    for letter, network, entries_of in (
        ("D", gan.discriminator, biggan_pytorch_names.discriminator_entries),
        ("G", gan.generator, biggan_pytorch_names.generator_entries),
    ):
        entries = entries_of(network)
        values = {id(entry.variable): np.asarray(entry.variable) for entry in entries}
        case.assert_tensors(entries, values, f"step/after/{letter}/")
