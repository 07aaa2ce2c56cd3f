"""What a training step of StyleGAN3 moves."""

import numpy as np
import tensorflow as tf

from biggan_tf.contracts.game import Batch
from biggan_tf.training.gan import GAN
from tests.biggan_tf.families.stylegan3.smallest import config
from tests.biggan_tf.training import tiny


def test_running_means_move_in_the_discriminators_phase_alone():
    run = config()
    # StyleGAN3-R, whose D sees blurred images at first.
    run.model, run.game.blur_sigma, run.game.blur_fade_images = run.model.rotating(), 2.0, 1000
    gan = GAN(run)
    real = Batch(*map(tf.constant, tiny.batch(4)))
    moving = [gan.generator.mean_w, *(layer.magnitude for layer in gan.generator.filtered_layers)]
    others = [variable for variable in gan.generator.non_trainable_variables if all(variable is not m for m in moving)]
    for phase in gan.phases:
        before, fixed = [[v.numpy() for v in variables] for variables in (moving, others)]
        part = gan.gradients(phase, real if phase.reads_data else None, 4, 0)
        assert all(np.isfinite(gradient).all() for gradient in part.gradients)
        main = phase.trains == "discriminator" and phase.name == ""
        assert [(v.numpy() != old).any() for v, old in zip(moving, before, strict=True)] == [main] * len(moving)
        assert all((v.numpy() == old).all() for v, old in zip(others, fixed, strict=True))
