"""The authors' own numbers: what their networks compute on random weights, against what ours compute."""

import numpy as np
import tensorflow as tf

from biggan_tf.contracts.game import Batch, Round
from biggan_tf.families.r3gan import pytorch_names
from biggan_tf.games.config import R3GANGameConfig
from tests.biggan_tf.parity_cases import nhwc, relative
from tests.biggan_tf.state_dict_cases import VALUES, StateDictCase, every_case_of, in_both_precisions, marks

pytestmark = marks
every_case = every_case_of("r3gan")


class Case(StateDictCase, Round):
    """One case, which is a round of the game as well, with the case's images."""

    def __init__(self, name, policy):
        super().__init__("r3gan", name, policy)
        # Without classes a game is given the label 0 for every image.
        self.labels = tf.constant(self.io["y"] if "y" in self.io else np.zeros(len(self.io["z"]), np.int32))
        self.images_seen, self.key = 0, None

    def real_batch(self):
        return Batch(tf.constant(nhwc(self.io["real"]), self.policy), self.labels)

    def generate(self, labels=None, latent_noise=0.0):
        z = tf.constant(self.io["z"], self.policy)
        has_classes = self.generator.config.num_classes
        return Batch(self.generator((z, self.generator.embed(labels)) if has_classes else z), labels)

    def discriminate(self, *batches):
        has_classes = self.discriminator.config.num_classes
        return [self.discriminator((images, labels) if has_classes else images) for images, labels in batches]

    def assert_gradients(self, network, loss, phase):
        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, [variable.value for variable in network.trainable_variables])
        entries = pytorch_names.generator_entries if network is self.generator else pytorch_names.discriminator_entries
        super().assert_gradients(network, gradients, entries(network), f"{phase}/grad/")


@in_both_precisions
@every_case
def test_values_are_the_authors(name, policy, monkeypatch):
    case = Case(name, policy)
    io, stages = case.io, {"generator": [], "discriminator": []}
    for network in stages:
        for parts in getattr(case, network).stages:
            last = [part for pair in parts if pair for part in (pair if isinstance(pair, list) else [pair])][-1]

            def kept(*args, own=last.call, values=stages[network], **kwargs):
                values.append(own(*args, **kwargs))
                return values[-1]

            monkeypatch.setattr(last, "call", kept)
    (answer,) = case.discriminate(case.real_batch())
    assert relative(answer.logits, io["real_logits"]) < VALUES
    fakes = case.generate(case.labels)
    assert fakes.images.dtype == policy
    assert relative(fakes.images, nhwc(io["images"])) < VALUES
    assert relative(case.discriminate(fakes)[0].logits, io["fake_logits"]) < VALUES
    last = len(case.settings["widths"]) - 1
    for network, values in stages.items():
        # D looked at real images first. Its last stage ends with a linear layer behind the blocks.
        for number, value in enumerate(values[: last + 1 if network == "generator" else last]):
            assert relative(value[:1], nhwc(io[f"{network}/{number}/x"])) < VALUES
    assert relative(case.discriminator.dense(answer.features)[:1], io[f"discriminator/{last}/x"]) < VALUES


@in_both_precisions
@every_case
def test_the_games_losses_and_gradients_are_the_authors(name, policy):
    case = Case(name, policy)
    game = R3GANGameConfig(gamma=case.settings["gamma"]).build()

    def discriminators():
        loss, scalars = game.discriminator_loss(case)
        for penalty in ("r1", "r2"):
            assert relative(scalars[penalty], np.mean(case.io[f"d/{penalty}"], dtype=np.float64)) < VALUES
        expected = case.io["d/loss"] + case.settings["gamma"] / 2 * (case.io["d/r1"] + case.io["d/r2"])
        assert relative(loss, np.mean(expected, dtype=np.float64)) < VALUES
        return loss

    def generators():
        loss, _ = game.generator_loss(case)
        assert relative(loss, np.mean(case.io["g/loss"], dtype=np.float64)) < VALUES
        return loss

    case.assert_gradients(case.discriminator, discriminators, "d")
    case.assert_gradients(case.generator, generators, "g")
