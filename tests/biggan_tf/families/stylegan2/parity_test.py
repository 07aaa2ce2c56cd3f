"""NVIDIA's own numbers: what their networks compute on random weights, against what ours compute."""

import re

import tensorflow as tf

from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.families.stylegan2.generator import LayerStyles
from tests.biggan_tf.parity_cases import nhwc, relative
from tests.biggan_tf.state_dict_cases import VALUES, StateDictCase, every_case_of, in_both_precisions, marks

pytestmark = marks
every_case = every_case_of("stylegan2")


class Case(StateDictCase):
    def __init__(self, name, policy):
        super().__init__("stylegan2", name, policy)
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
        with tf.GradientTape() as tape:
            tape.watch(case.real)
            total = tf.reduce_sum(case.logits(case.real, case.real_labels))
        penalty = tf.reduce_sum(tf.square(tape.gradient(total, case.real)), axis=[1, 2, 3])
        assert relative(penalty, case.io["dreg/penalty"]) < VALUES
        return case.settings["r1_gamma"] / 2 * tf.reduce_mean(penalty)

    def path_length():
        noise = tf.constant(nhwc(case.io["greg/image_noise"]) / case.settings["resolution"], policy)
        ws = case.styles(rows=len(noise)).ws
        with tf.GradientTape() as tape:
            tape.watch(ws)
            total = tf.reduce_sum(case.generator.synthesise(LayerStyles(ws)) * noise)
        lengths = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(tape.gradient(total, ws)), axis=2), axis=1))
        before = tf.constant(case.io["greg/pl_mean_before"], policy)
        mean = before + case.settings["pl_decay"] * (tf.reduce_mean(lengths) - before)
        assert relative(mean, case.io["greg/pl_mean_after"]) < VALUES
        assert relative(tf.square(lengths - mean), case.io["greg/penalty"]) < 10 * VALUES
        return case.settings["pl_weight"] * tf.reduce_mean(tf.square(lengths - mean))

    case.assert_gradients(case.discriminator, r1, "dreg")
    case.assert_gradients(case.generator, path_length, "greg")
