"""NVIDIA's own numbers: what their networks compute on random weights, against what ours compute."""

import re

import numpy as np
import tensorflow as tf

from biggan_tf.contracts.game import Batch, FakeBatch, Round
from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.families.stylegan2.generator import LayerStyles
from biggan_tf.games.penalties import (
    path_lengths,
    slope_penalty,
    squared_gradients_around,
    squared_gradients_between,
    with_squared_gradient,
)
from biggan_tf.games.top_k import mean_of_highest
from tests.biggan_tf.parity_cases import nhwc, relative
from tests.biggan_tf.state_dict_cases import VALUES, StateDictCase, every_case_of, in_both_precisions, marks

pytestmark = marks
every_case = every_case_of("stylegan2")


class Case(StateDictCase, Round):
    """One case, which is a round of a game as well, with the case's images.

    Attributes:
        uniform: What `random_uniform` returns, call by call.
        normal: What `random_normal` returns.
    """

    def __init__(self, name, policy):
        super().__init__("stylegan2", name, policy)
        self.images_seen, self.key, self.uniform, self.normal = 0, None, [], None
        self.labels = self.io["c"] if "c" in self.io.files else None
        self.real_labels = self.io["real_c"] if "real_c" in self.io.files else None
        self.real = tf.constant(nhwc(self.io["real"]), policy)

    def styles(self, z="z", rows=None, truncation=None):
        z = tf.constant(self.io[z][:rows], self.policy)
        embedding = None if self.labels is None else self.generator.embed(self.labels[:rows])
        return self.generator.styles(z, embedding, truncation)

    def images(self, z="z"):
        return self.generator.synthesise(self.styles(z))

    def logits(self, images, labels):
        return self.discriminator(images if labels is None else (images, labels)).logits

    def real_batch(self):
        # Without classes a game is given the label 0 for every image.
        zeros = np.zeros(len(self.real), np.int32)
        return Batch(self.real, tf.constant(zeros if self.real_labels is None else self.real_labels))

    def discriminate(self, *batches):
        has_classes = self.discriminator.config.num_classes
        return [self.discriminator((images, labels) if has_classes else images) for images, labels in batches]

    def synthesise(self, styles, moves_state=True):
        return FakeBatch(self.generator.synthesise(styles), None)

    def random_uniform(self, shape):
        values = self.uniform.pop(0)
        return tf.constant(values.reshape(-1, *shape), "float64")

    def random_normal(self, shape):
        return tf.constant(self.normal, "float64")

    def assert_gradients(self, network, loss, phase):
        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, [variable.value for variable in network.trainable_variables])
        entries = pytorch_names.generator_entries if network is self.generator else pytorch_names.discriminator_entries
        super().assert_gradients(network, gradients, entries(network), f"{phase}/grad/")


@in_both_precisions
@every_case
def test_values_are_nvidias(name, policy):
    case = Case(name, policy)
    io, styles = case.io, case.styles()
    assert relative(styles.ws[:, 0], io["w"]) < VALUES
    assert relative(case.styles(truncation=0.7).ws[:, 0], io["w_psi"]) < VALUES
    images = case.generator.synthesise(styles)
    assert images.dtype == policy
    assert relative(images, nhwc(io["images"])) < VALUES
    assert relative(case.logits(case.real, case.real_labels), io["real_logits"][:, 0]) < VALUES
    assert relative(case.logits(images, case.labels), io["fake_logits"][:, 0]) < VALUES
    truncated = case.generator.synthesise(case.styles(truncation=case.settings["truncation_psi"]))
    assert relative(truncated, nhwc(io["images_psi"])) < VALUES
    mixed = case.generator.mixed(styles, case.styles("mix/z2"), int(io["mix/cutoff"]))
    assert relative(case.generator.synthesise(mixed), nhwc(io["mix/images"])) < VALUES
    if case.labels is not None:
        assert relative(case.discriminator.map(case.real_labels), io["cmap"]) < VALUES


@every_case
def test_truncation_up_to_a_layer_is_nvidias(name):
    case = Case(name, "float64")
    given = case.settings["truncation_cutoff"]
    case.generator.config.truncation_cutoff = given["cutoff"]
    assert relative(case.styles(truncation=given["psi"]).ws, case.io["ws_cutoff"]) < VALUES


@every_case
def test_noise_is_nvidias(name, monkeypatch):
    case = Case(name, "float64")
    given = [nhwc(case.io[key]) for key in case.io.files if re.match(r"noise/", key)]
    sizes = [noise.shape[1] for noise in given]
    assert sizes == [layer.size for layer in case.generator.convolutions]
    monkeypatch.setattr(case.generator, "noise_maps", lambda keys: given)
    assert relative(case.images(), nhwc(case.io["images_random"])) < VALUES
    monkeypatch.undo()
    case.generator.config.noise = "none"
    assert relative(case.images(), nhwc(case.io["images_none"])) < VALUES


@in_both_precisions
@every_case
def test_gradients_of_the_losses_are_nvidias(name, policy):
    case = Case(name, policy)

    def generators():
        return tf.reduce_mean(tf.nn.softplus(-case.logits(case.images(), case.labels)))

    def discriminators():
        fake, real = case.logits(images, case.labels), case.logits(case.real, case.real_labels)
        return tf.reduce_mean(tf.nn.softplus(fake)) + tf.reduce_mean(tf.nn.softplus(-real))

    images = case.images()
    case.assert_gradients(case.generator, generators, "gmain")
    case.assert_gradients(case.discriminator, discriminators, "dmain")
    case.generator.styles(
        tf.constant(case.io["z"], policy),
        None if case.labels is None else case.generator.embed(case.labels),
        training=True,
    )
    assert relative(case.generator.mean_w, case.io["dmain/w_avg_after"]) < VALUES


@in_both_precisions
@every_case
def test_penalties_and_their_gradients_are_nvidias(name, policy):
    case = Case(name, policy)

    def r1():
        _, penalty = with_squared_gradient(case, case.real_batch())
        assert relative(penalty, case.io["dreg/penalty"]) < VALUES
        return case.settings["r1_gamma"] / 2 * tf.reduce_mean(penalty)

    def path_length():
        case.normal = nhwc(case.io["greg/image_noise"])
        lengths = path_lengths(case, LayerStyles(case.styles(rows=len(case.normal)).ws))
        before = tf.constant(case.io["greg/pl_mean_before"], policy)
        mean = before + case.settings["pl_decay"] * (tf.reduce_mean(lengths) - before)
        assert relative(mean, case.io["greg/pl_mean_after"]) < VALUES
        assert relative(tf.square(lengths - mean), case.io["greg/penalty"]) < 10 * VALUES
        return case.settings["pl_weight"] * tf.reduce_mean(tf.square(lengths - mean))

    case.assert_gradients(case.discriminator, r1, "dreg")
    case.assert_gradients(case.generator, path_length, "greg")


@in_both_precisions
@every_case
def test_penalties_at_other_images_are_studiogans(name, policy):
    case = Case(name, policy)
    fakes = Batch(tf.constant(nhwc(case.io["images"]), policy), case.real_batch().labels)

    def between(penalty):
        # Its points are alpha x + (1 - alpha) G(z), and ours x + u (G(z) - x).
        case.uniform = [1 - case.io[f"{penalty}/alpha"]]
        return squared_gradients_between(case, case.real_batch(), fakes)

    def gradient_penalty():
        penalty = slope_penalty(between("gp"), 1.0)
        assert relative(penalty, case.io["gp/penalty"]) < VALUES
        return penalty

    case.assert_gradients(case.discriminator, gradient_penalty, "gp")
    squared = between("maxgp")
    assert relative(mean_of_highest(squared, squared, 1), case.io["maxgp/penalty"]) < VALUES
    case.uniform = [case.io["dragan/alpha"], nhwc(case.io["dragan/u"])]
    around = slope_penalty(squared_gradients_around(case, case.real_batch()), 1.0)
    assert relative(around, case.io["dragan/penalty"]) < VALUES
