"""A discriminator that sees a frozen classifier's answers: the formula, and that none of its weights is trained."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.config import NoAugmentationConfig
from biggan_tf.config import Config, ConfigError, from_dict, to_dict
from biggan_tf.config.classifiers import EfficientNetLite0Config, NoClassifierConfig, SavedModelConfig
from biggan_tf.config.growth import GrowthConfig
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.games.config import HingeConfig, WassersteinGPConfig
from biggan_tf.inference.folding import fold_discriminator
from biggan_tf.training import cost
from biggan_tf.training.aided_discriminator import AidedDiscriminator, discriminator_of, with_fingerprint
from biggan_tf.training.checkpoints import resume
from biggan_tf.training.checkpoints.files import CheckpointError, CheckpointSummary
from biggan_tf.training.checkpoints.loading import load_discriminator
from tests.biggan_tf.training import tiny
from tests.families.any_game_resumes_test import assert_an_overflow_stops_both
from tests.families.conformance_test import assert_equal, data, run, stored, trained
from tests.families.matrix_test import eagerly
from tests.families.registry import smallest

__all__ = ["data", "eagerly"]

IMAGES, LABELS = tiny.batch(4)
VALUES = 5


class Pixels(tf.Module):
    """A classifier whose answers are tanh(x M) for the pixels x of 4x4 images in [0, 1]."""

    def __init__(self, seed):
        super().__init__()
        matrix = np.random.default_rng(seed).standard_normal((48, VALUES))
        self.matrix = tf.Variable(matrix.astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 3), tf.float32)])
    def answers(self, images):
        return {"logits": tf.tanh(tf.matmul(tf.reshape(images, (-1, 48)), self.matrix))}


def saved(folder, seed=0):
    module = Pixels(seed)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.answers})
    return str(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return SavedModelConfig(path=saved(tmp_path_factory.mktemp("classifier")), width=6)


def aided(classifier, family="toy", **model):
    config = smallest(family, **model)
    config.classifier = dataclasses.replace(classifier)
    return config


def roused(discriminator):
    """With other weights than the zeros at which the classifier's answers have no effect."""
    for number, variable in enumerate((discriminator.weights_of_all, discriminator.weights_of_classes)):
        variable.assign(np.random.default_rng(number).standard_normal(variable.shape))
    return discriminator


def test_a_new_discriminator_is_that_of_its_family(classifier):
    discriminator = discriminator_of(aided(classifier))
    assert isinstance(discriminator, AidedDiscriminator)
    ours, theirs = discriminator((IMAGES, LABELS)), discriminator.inner((IMAGES, LABELS))
    np.testing.assert_array_equal(ours.logits, theirs.logits)
    np.testing.assert_array_equal(ours.features, theirs.features)


def test_logits_are_those_of_the_formula(classifier):
    discriminator = roused(discriminator_of(aided(classifier, policy="float64")))
    judgement = discriminator.inner((IMAGES, LABELS))
    resized = tf.image.resize(IMAGES, (4, 4), antialias=True).numpy()
    answers = np.tanh(((resized + 1.0) / 2.0).reshape(4, 48) @ Pixels(0).matrix.numpy())

    def n(v):
        return v / np.sqrt(np.mean(np.square(v), axis=1, keepdims=True) + 1e-8)

    joined = np.concatenate([n(judgement.features.numpy()), n(answers)], axis=1)
    kernel, bias = (variable.numpy() for variable in discriminator.joined.weights)
    hidden = joined @ kernel + bias
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    weights = discriminator.weights_of_all.numpy() + discriminator.weights_of_classes.numpy()[LABELS]
    expected = judgement.logits + np.sum(weights * hidden, axis=1)
    np.testing.assert_allclose(discriminator((IMAGES, LABELS)).logits, expected, rtol=0, atol=1e-5)
    assert np.abs(expected - judgement.logits).min() > 1e-3


def test_the_gradient_reaches_the_image_through_the_classifier_but_not_its_weights(classifier):
    discriminator = roused(discriminator_of(aided(classifier)))
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:  # which watches every trainable variable that is read
        tape.watch(images)
        answers = discriminator._classifier(images)
        total = tf.reduce_sum(answers)
    # What is read are constants; the module's own variable plays no part.
    assert [variable.shape for variable in tape.watched_variables()] == []
    step = np.random.default_rng(0).standard_normal(IMAGES.shape)
    slope = np.vdot(tape.gradient(total, images), step)
    up, down = (
        np.sum(discriminator._classifier(tf.constant(IMAGES + size * step, tf.float32))) for size in (1e-2, -1e-2)
    )
    assert slope == pytest.approx((up - down) / 2e-2, rel=1e-2)
    assert abs(slope) > 1e-3


def test_nothing_of_the_classifier_is_a_variable_of_the_discriminator(classifier):
    discriminator = discriminator_of(aided(classifier, "biggan"))
    own = {path for path in variables_by_path(discriminator) if not path.startswith("inner/")}
    assert own == {"joined/kernel", "joined/bias", "weights_of_all", "weights_of_classes"}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_it_trains_in_half_precision(classifier, policy, eagerly):
    gan, reports = trained(aided(classifier, policy=policy), steps=2)
    assert np.isfinite([reports[1]["d_loss"], reports[1]["g_loss"]]).all()
    assert np.any(gan.discriminator.weights_of_all)
    assert all(variable.dtype == "float32" for variable in gan.discriminator.trainable_variables)


def test_two_replicas_equal_one(classifier, eagerly):
    config = aided(classifier, policy="float64")
    (one, _), (two, _) = (trained(config, steps=2, replicas=replicas) for replicas in (1, 2))
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-5, atol=1e-7, err_msg=name)  # the classifier is float32


def test_an_overflow_on_one_of_two_replicas_stops_both(classifier, eagerly):
    config = aided(classifier, policy="mixed_float16")
    config.augmentation, config.game = NoAugmentationConfig(), HingeConfig(1)
    assert_an_overflow_stops_both(config)


@pytest.mark.parametrize("family", ["toy", "biggan", "r3gan"])
def test_a_function_of_images_and_labels_in_one_dtype_is_traced_as_keras_does_it_to_save_a_network(classifier, family):
    discriminator = roused(discriminator_of(aided(classifier, family, num_classes=3)))
    logits = tf.function(lambda images, labels: discriminator((images, labels)).logits)
    size = discriminator.config.resolution
    images = np.random.default_rng(0).uniform(-1, 1, (3, size, size, 3)).astype(np.float32)
    traced = logits.get_concrete_function(tf.TensorSpec((None, size, size, 3)), tf.TensorSpec((None,), tf.float32))
    expected = discriminator((images, np.array([2, 0, 1]))).logits
    np.testing.assert_allclose(traced(images, tf.constant([2.0, 0.0, 1.0])), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["biggan", "progan", "r3gan", "stylegan2", "stylegan3"])
def test_any_family_trains_with_it(classifier, family, eagerly):
    gan, reports = trained(aided(classifier, family), steps=1)
    assert np.isfinite([reports[0]["d_loss"], reports[0]["g_loss"]]).all()
    assert gan.discriminator.couples_rows == gan.discriminator.inner.couples_rows


def test_a_dry_run_counts_what_there_is(classifier):
    config = aided(classifier)
    count = sum(int(np.prod(v.shape)) for v in discriminator_of(config).trainable_variables)
    report = cost.report(config)
    assert report["parameters"]["discriminator"] == count
    # A matrix of 48 x 5, for each of two images in an update of D; in that of G also for the gradient of the image.
    config.classifier = NoClassifierConfig()
    without, operations = cost.report(config)["operations_per_image"], report["operations_per_image"]
    assert operations["discriminator_forward"] - without["discriminator_forward"] == 2 * 48 * VALUES
    answers = 2 * config.game.discriminator_steps + 2
    assert operations["training_step"] - without["training_step"] == 2 * answers * 48 * VALUES


def test_it_is_saved_loaded_and_folded(classifier, tmp_path):
    discriminator = roused(discriminator_of(aided(classifier)))
    expected = discriminator((IMAGES, LABELS)).logits
    discriminator.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded((IMAGES, LABELS)).logits, expected)
    np.testing.assert_allclose(fold_discriminator(discriminator)((IMAGES, LABELS)).logits, expected, rtol=1e-6)


def test_a_run_goes_on_with_the_classifier_that_it_began_with_alone(classifier, tmp_path):
    began = CheckpointSummary(7, 70, to_dict(with_fingerprint(aided(classifier))))
    # A copy of it elsewhere is the same classifier; one with other weights is not.
    moved = dataclasses.replace(classifier, path=str(shutil.copytree(classifier.path, tmp_path / "moved")))
    resume.refuse_another_model(began, with_fingerprint(aided(moved)))
    other = dataclasses.replace(classifier, path=saved(tmp_path / "other", seed=1))
    with pytest.raises(CheckpointError, match=r"classifier\.fingerprint"):
        resume.refuse_another_model(began, with_fingerprint(aided(other)))
    with pytest.raises(CheckpointError, match=r"classifier\.kind"):
        resume.refuse_another_model(began, smallest("toy"))


@pytest.mark.slow
def test_a_run_records_the_fingerprint_and_resumes_to_the_bit(classifier, tmp_path, data):
    run(aided(classifier), tmp_path / "run", data, 2)
    run(aided(classifier), tmp_path / "run", data, 4)
    run(aided(classifier), tmp_path / "straight", data, 4)
    assert_equal(stored(tmp_path / "run", 4), stored(tmp_path / "straight", 4))
    (file,) = (tmp_path / "run" / "checkpoints").glob("*4/run.json")
    recorded = json.loads(file.read_text())["config"]["classifier"]
    assert recorded["kind"] == "saved_model"
    assert recorded["fingerprint"] == classifier.load().fingerprint
    assert isinstance(load_discriminator(tmp_path / "run"), AidedDiscriminator)
    other = dataclasses.replace(classifier, path=saved(tmp_path / "other", seed=1))
    with pytest.raises(CheckpointError, match=r"classifier\.fingerprint"):
        run(aided(other), tmp_path / "run", data, 6)


def test_a_configuration_that_names_other_weights_is_refused(classifier):
    config = with_fingerprint(aided(classifier))
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config
    assert with_fingerprint(config) == config
    config.classifier.fingerprint = "0" * 64
    with pytest.raises(ConfigError, match=r"must be the one that classifier\.fingerprint names"):
        discriminator_of(config)


def test_mistakes_are_told_before_anything_is_built(classifier, tmp_path):
    config = smallest("toy")
    config.classifier = SavedModelConfig(width=0)
    assert [problem.split()[0] for problem in config.problems()] == ["classifier.width", "classifier.path"]
    config.classifier = EfficientNetLite0Config(answer="logit")
    assert "did you mean logits" in config.problems()[0]
    config = aided(classifier, "progan")
    config.game = WassersteinGPConfig()
    config.training.growth = GrowthConfig(first_resolution=4, stable_images=8, fading_images=8)
    assert any("classifier must be none where networks grow" in problem for problem in config.problems())
    for wrong, message in (
        ({"path": str(tmp_path)}, "must be the folder of a SavedModel"),
        ({"signature": "classify"}, "classifier.signature must be one of serving_default"),
        ({"output": "features"}, "classifier.output must be one of logits"),
    ):
        with pytest.raises(ConfigError, match=message):
            dataclasses.replace(classifier, **wrong).load()
