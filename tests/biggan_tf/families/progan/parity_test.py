"""The authors' own numbers: what their networks and losses compute on random weights, against what ours compute."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, GrowthConfig
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.families.progan import tensorflow_names
from biggan_tf.games.config import WassersteinGPConfig
from biggan_tf.ops.fading import faded_images
from biggan_tf.training.gan import GAN
from biggan_tf.training.round import Sample, TrainingRound
from tests.biggan_tf.parity_cases import nhwc, relative
from tests.biggan_tf.state_dict_cases import VALUES, StateDictCase, every_case_of, in_both_precisions, marks

pytestmark = marks
every_case = every_case_of("progan")


class Case(StateDictCase):
    def __init__(self, name, policy):
        super().__init__("progan", name, policy)
        self.z = tf.constant(self.io["z"], policy)
        self.reals = tf.constant(nhwc(self.io["reals"]), policy)
        self.weights = self.io["labels"] if self.settings["label_size"] else None
        self.labels = np.argmax(self.io["labels"], axis=1) if self.settings["label_size"] else np.zeros(len(self.z))

    def at(self, lod):
        for network in (self.generator, self.discriminator):
            network.lod.assign(lod)
        return self

    def images(self):
        embedding = None if self.weights is None else self.generator.embed(self.weights)
        return self.generator.synthesise(self.generator.styles(self.z, embedding), None)

    def assert_gradients(self, network, gradients, prefix):
        names = tensorflow_names
        entries_of = names.generator_entries if prefix[0] == "g" else names.discriminator_entries
        super().assert_gradients(
            network, gradients, entries_of(network, self.settings["fused_scale"]), f"{prefix}/grad/"
        )


@in_both_precisions
@every_case
def test_values_are_the_authors_at_every_level_of_detail(name, policy):
    case = Case(name, policy)
    for lod in case.settings["lods"]:
        prefix = f"lod/{lod}"
        images = case.at(lod).images()
        assert images.dtype == policy
        assert relative(images, nhwc(case.io[f"{prefix}/images"])) < VALUES
        judgement = case.discriminator(case.reals)
        assert relative(judgement.logits, case.io[f"{prefix}/scores"][:, 0]) < VALUES
        if case.settings["label_size"]:
            assert relative(judgement.heads["classes"], case.io[f"{prefix}/classes"]) < VALUES
        faded = faded_images(case.reals, case.generator.lod)
        assert relative(faded, nhwc(case.io[f"{prefix}/faded_reals"])) < VALUES


@in_both_precisions
@every_case
def test_losses_penalties_and_gradients_are_the_authors(name, policy, monkeypatch):
    case = Case(name, policy)
    settings, io = case.settings, case.io
    config = Config(model=case.generator.config)
    config.game = WassersteinGPConfig(penalty_weight=settings["wgan_lambda"], drift_weight=settings["wgan_epsilon"])
    config.training.batch_size = len(case.z)
    gan = GAN(config)
    case.at(settings["losses_at_lod"])
    for ours, loaded in ((gan.generator, case.generator), (gan.discriminator, case.discriminator)):
        values = variables_by_path(loaded)
        for path, variable in variables_by_path(ours).items():
            variable.assign(values[path])
    mixing = tf.constant(io["mixing"].reshape(-1, 1, 1, 1))
    monkeypatch.setattr(TrainingRound, "random_uniform", lambda self, shape: mixing)
    labels = tf.constant(case.labels, tf.int32)
    sample = Sample(case.z, labels, tf.zeros([len(case.z), 2], tf.int64))
    for phase, prefix in zip(gan.phases, "dg", strict=True):
        real = Batch(case.reals, labels) if phase.reads_data else None
        part = gan.gradients(phase, real, len(case.z), 0, sample)
        scalars = dict(zip(part.names, part.scalars.numpy(), strict=True))
        assert scalars[f"{prefix}_loss"] == pytest.approx(float(io[f"{prefix}/loss"]), rel=VALUES)
        case.assert_gradients(getattr(gan, phase.trains), part.gradients, prefix)
        if prefix == "d":
            assert scalars["d_real"] == pytest.approx(io["d/real_scores"].mean(), rel=VALUES)
            assert scalars["d_fake"] == pytest.approx(io["d/fake_scores"].mean(), rel=VALUES)
            assert scalars["gradient_length"] == pytest.approx(io["d/mixed_norms"].mean(), rel=VALUES)
            if settings["label_size"]:
                assert scalars["d_class_real"] == pytest.approx(io["d/label_penalty_reals"].mean(), rel=VALUES)
                assert scalars["d_class_fake"] == pytest.approx(io["d/label_penalty_fakes"].mean(), rel=VALUES)


@every_case
def test_the_schedule_is_the_authors(name):
    case = Case(name, "float32")
    given, io = case.settings["schedule"], case.io
    sizes = [given["first_resolution"] * 2**i for i in range(len(given["minibatch"]))]
    rates = [given["learning_rate"].get(str(size), given["base_learning_rate"]) for size in sizes]
    growth = GrowthConfig(
        stable_images=given["training_kimg"] * 1000,
        fading_images=given["transition_kimg"] * 1000,
        first_resolution=given["first_resolution"],
        batch_sizes=tuple(given["minibatch"][str(size)] for size in sizes),
        rate_factors=tuple(rate / given["base_learning_rate"] for rate in rates),
    )
    for row, images_seen in enumerate(io["schedule/images_seen"]):
        lod = growth.lod_at(int(images_seen), given["full_resolution"])
        segment = growth.segment_at(lod, given["full_resolution"], 4)
        assert lod == pytest.approx(io["schedule/lod"][row], rel=1e-12)
        assert segment[:2] == (io["schedule/resolution"][row], io["schedule/minibatch"][row])
        rate = given["base_learning_rate"] * segment.rate_factor
        assert rate == pytest.approx(io["schedule/G_lrate"][row], rel=1e-12)
