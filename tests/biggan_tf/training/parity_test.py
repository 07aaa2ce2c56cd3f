"""One whole training step against what the public PyTorch BigGAN computed.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.interop import biggan_pytorch_names
from biggan_tf.training.gan import BigGAN
from biggan_tf.training.variables import by_name
from tests.biggan_tf.parity_cases import ParityCase, every_case, in_both_precisions, needs_parity, nhwc

pytestmark = [pytest.mark.processor, needs_parity]


def gan_of(case):
    """A BigGAN with the case's weights and the case's optimizer settings."""
    networks = case.networks()
    config = Config(model=networks[0].model_config)
    settings = case.settings["step"]
    config.training.orthogonal_strength = settings["ortho"]
    for name, letter in (("generator", "G"), ("discriminator", "D")):
        optimizer = getattr(config.training, name)
        optimizer.learning_rate = settings[f"{letter}_lr"]
        optimizer.beta_1, optimizer.beta_2 = settings["betas"]
        optimizer.epsilon = settings["adam_eps"]
    gan = BigGAN(config)
    for ours, loaded in zip((gan.generator, gan.discriminator), networks, strict=True):
        values = by_name(loaded)
        for name, variable in by_name(ours).items():
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
        passed = gan.discriminator_gradients(*map(tf.constant, (z, fake_labels, nhwc(images), labels)))
        gan.update_discriminator(passed, len(labels))
    gan.update_generator(gan.generator_gradients(*(tf.constant(case.inputs[f"step/g/{name}"]) for name in ("z", "y"))))
    for letter, network, entries_of in (
        ("D", gan.discriminator, biggan_pytorch_names.discriminator_entries),
        ("G", gan.generator, biggan_pytorch_names.generator_entries),
    ):
        entries = entries_of(network)
        values = {id(entry.variable): np.asarray(entry.variable) for entry in entries}
        case.assert_tensors(entries, values, f"step/after/{letter}/")
