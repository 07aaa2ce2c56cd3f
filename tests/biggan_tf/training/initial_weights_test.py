"""A run begins with trained weights: known classes keep what is theirs, the rest must fit; frozen weights stay."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, ConfigError, from_dict, to_dict
from biggan_tf.config.classifiers import NoClassifierConfig
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.interop import save_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.training import initial_weights, loop, small_data
from biggan_tf.training.aided_discriminator import discriminator_of
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_checkpoint
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.training import tiny
from tests.biggan_tf.training.aided_discriminator_test import aided, classifier
from tests.data import made_data
from tests.families import registry

__all__ = ["classifier"]

NAMES = saved_preset.NAMES
KINDS = list(registry.SAMPLING)


def scrambled(network, seed=0):
    """Values that no initialiser gives; those of what is not trained, variances among them, are positive."""
    draw = np.random.default_rng(seed)
    for variable in network.weights:
        value = draw.normal(0.2, 0.3, variable.shape) if variable.trainable else draw.uniform(0.5, 1.5, variable.shape)
        if not variable.path.endswith("lod"):
            variable.assign(value.astype(variable.dtype))
    return network


def trained(model, names=NAMES):
    return initial_weights.TrainedNetworks(scrambled(model.generator()), scrambled(model.discriminator(), 1), names)


def gan_of(config):
    keras.utils.set_random_seed(5)
    return GAN(config)


def images_of(generator, label):
    z = tf.random.stateless_normal([2, generator.config.z_dim], [0, 1])
    return np.asarray(generator(generator.inputs_of(z, tf.fill([2], label))))


def logits_of(discriminator, label):
    images = tf.random.stateless_uniform([2, 8, 8, 3], [0, 2], -1.0, 1.0)
    return np.asarray(discriminator((images, tf.fill([2], label))).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_the_same_name_keep_what_is_theirs_in_every_family(kind):
    old = trained(registry.smallest(kind).model)
    gan = gan_of(registry.smallest(kind, num_classes=4))
    fresh = {name: np.asarray(v) for name, v in variables_by_path(gan.generator).items()}
    initial_weights.begin_with(gan, old, ("dog", "cat", "ant", "fly"), "old")
    assert np.isfinite(images_of(gan.generator, 0)).all()
    axes = initial_weights.class_axes(gan.generator)
    assert axes
    values = variables_by_path(gan.generator)
    for name, (axis, offset) in axes.items():
        taken = np.take(np.asarray(values[name]), [offset + 0, offset + 3], axis)
        np.testing.assert_array_equal(taken, np.take(fresh[name], [offset + 0, offset + 3], axis))
    # Spectral norm divides by what depends on all classes, so the values of BigGAN's are compared, not its images.
    if kind != "biggan":
        for new, before in ((1, 2), (2, 0)):
            np.testing.assert_allclose(
                images_of(gan.generator, new), images_of(old.generator, before), rtol=1e-4, atol=1e-5
            )
            np.testing.assert_allclose(
                logits_of(gan.discriminator, new), logits_of(old.discriminator, before), rtol=1e-3, atol=1e-4
            )
    for name, variable in variables_by_path(gan.ema_generator).items():
        np.testing.assert_array_equal(variable, values[name])


def test_the_rows_of_biggans_embedding_are_those_of_the_names():
    old = trained(tiny.config().model)
    gan = gan_of(tiny.config())
    fresh = np.asarray(gan.generator.class_embedding.kernel)
    initial_weights.begin_with(gan, old, ("cat", "dog", "ant"), "old")
    before, after = np.asarray(old.generator.class_embedding.kernel), np.asarray(gan.generator.class_embedding.kernel)
    np.testing.assert_array_equal(after, [before[2], fresh[1], before[0]])


def test_without_names_classes_are_the_same_if_there_are_as_many():
    old = trained(tiny.config().model, names=())
    assert initial_weights.class_rows(old, NAMES, 3) == [0, 1, 2]
    assert initial_weights.class_rows(old, (), 3) == [0, 1, 2]
    assert initial_weights.class_rows(old, ("a", "b", "c", "d"), 4) == [-1] * 4
    assert initial_weights.class_rows(trained(tiny.config().model), ("cat", "x"), 2) == [2, -1]


def test_networks_that_differ_in_more_than_their_classes_are_refused():
    old = trained(tiny.config().model)
    other = tiny.config()
    other.model.generator_channels = 6
    with pytest.raises(initial_weights.InitialWeightsError, match=r"classes alone.*(?s:.)*model.generator_channels=4"):
        initial_weights.begin_with(gan_of(other), old, NAMES, "old")
    with pytest.raises(initial_weights.InitialWeightsError, match=r"its own family, progan\. Received: old"):
        initial_weights.begin_with(gan_of(registry.smallest("progan")), old, NAMES, "old")


def test_other_classes_do_not_hide_that_other_axes_differ():
    old = trained(tiny.config().model)
    other = tiny.config()
    other.model.num_classes, other.model.embedding_dim = 4, 6
    text = r"shape: class_embedding/kernel is \(3, 4\), it must be \(3, 6\)"
    with pytest.raises(initial_weights.InitialWeightsError, match=text):
        initial_weights.begin_with(gan_of(other), old, ("dog", "cat", "ant", "fly"), "old")


def test_a_discriminator_that_sees_a_classifier_begins_with_another_of_its_kind(classifier):
    config = aided(classifier)
    old = initial_weights.TrainedNetworks(
        scrambled(config.model.generator()), scrambled(discriminator_of(config), 1), NAMES
    )
    gan = gan_of(aided(classifier, num_classes=4))
    fresh = np.asarray(gan.discriminator.weights_of_classes)
    initial_weights.begin_with(gan, old, ("dog", "cat", "ant", "fly"), "old")
    before, after = (np.asarray(each.weights_of_classes) for each in (old.discriminator, gan.discriminator))
    known = [NAMES.index(name) if name in NAMES else None for name in ("dog", "cat", "ant", "fly")]
    expected = [fresh[label] if row is None else before[row] for label, row in enumerate(known)]
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(gan.discriminator.joined.kernel, old.discriminator.joined.kernel)


def test_a_discriminator_that_sees_a_classifier_and_one_that_does_not_are_told_apart(classifier):
    plain = trained(aided(classifier).model)
    with pytest.raises(initial_weights.InitialWeightsError, match="the run's sees one, and that of old sees none"):
        initial_weights.begin_with(gan_of(aided(classifier)), plain, NAMES, "old")
    config = aided(classifier)
    seeing = initial_weights.TrainedNetworks(config.model.generator(), discriminator_of(config), NAMES)
    config.classifier = NoClassifierConfig()
    with pytest.raises(initial_weights.InitialWeightsError, match="that of old sees one, and the run's sees none"):
        initial_weights.begin_with(gan_of(config), seeing, NAMES, "old")


def test_a_preset_a_run_and_weights_can_be_begun_with(tmp_path):
    generator, discriminator = saved_preset.save(tmp_path / "preset")
    gan = GAN(tiny.config())
    scrambled(gan.ema_generator)
    summary = checkpoint_files.CheckpointSummary(3, 30, to_dict(tiny.config()), 1, NAMES)
    Checkpoints(str(tmp_path / "run"), tiny.config(), gan.state()).save(summary)
    save_safetensors((generator, discriminator), tmp_path / "both.safetensors")
    for source, expected, names in (
        ("preset", (generator, discriminator), NAMES),
        ("run", (gan.ema_generator, gan.discriminator), NAMES),
        ("both.safetensors", (generator, discriminator), ()),
    ):
        loaded = initial_weights.load_trained(str(tmp_path / source))
        assert loaded.label_names == names
        for ours, theirs in zip((loaded.generator, loaded.discriminator), expected, strict=True):
            values = variables_by_path(theirs)
            for name, variable in variables_by_path(ours).items():
                np.testing.assert_array_equal(variable, values[name])
    with pytest.raises(initial_weights.InitialWeightsError, match="none of them; look at the spelling"):
        initial_weights.load_trained(str(tmp_path / "nothing"))
    (tmp_path / "damaged.safetensors").write_bytes(b"{}")
    with pytest.raises(WeightsFileError):
        initial_weights.load_trained(str(tmp_path / "damaged.safetensors"))


def test_frozen_weights_have_no_gradient_and_do_not_change():
    config = tiny.config(discriminator_steps=1)
    names = [f"discriminator/{name}" for name in variables_by_path(config.model.discriminator())]
    layer = next(name.rpartition("/")[0] for name in names if name.endswith("kernel"))
    config.initial.frozen = (layer, "generator/linear*")
    gan = GAN(config)
    state = {**{f"generator/{n}": v for n, v in variables_by_path(gan.generator).items()}}
    state |= {f"discriminator/{n}": v for n, v in variables_by_path(gan.discriminator).items()}
    frozen = [name for name in state if name.startswith((f"{layer}/", "generator/linear"))]
    trained_names = {f"generator/{n}" for n in gan.generator_update.names}
    trained_names |= {f"discriminator/{n}" for n in gan.discriminator_update.names}
    assert frozen
    assert trained_names.isdisjoint(frozen)
    before = {name: np.asarray(variable).copy() for name, variable in state.items()}
    images, labels = tiny.batch(8)
    gan.step([Batch(tf.constant(images), tf.constant(labels))], 8)
    changed = {name for name, variable in state.items() if not np.array_equal(variable, before[name])}
    weights = {name for name in frozen if not name.endswith(("/u", "moving_mean", "moving_variance"))}
    assert changed.isdisjoint(weights & {n for n in frozen if n.endswith(("kernel", "bias"))})
    assert {name for name in trained_names if name.endswith("kernel")} <= changed


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("generator/linaer", r"Received: 'generator/linaer', which is the name of none; did you mean generator/linear"),
        ("generator/*", "must leave weights of the generator to train"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused(pattern, text):
    config = tiny.config()
    config.initial.frozen = (pattern,)
    with pytest.raises(ConfigError, match=text):
        GAN(config)


def test_a_pattern_must_say_of_which_network():
    config = tiny.config()
    config.initial.frozen = ("linear",)
    assert any("must begin with generator/ or discriminator/" in problem for problem in config.problems())
    assert from_dict(Config, to_dict(config)) == config


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=30)
    return str(folder)


def fine_tuning(data, source, steps=4):
    config = tiny.config(num_steps=steps, discriminator_steps=1)
    config.data.path = data
    config.checkpoints.every_steps = 1
    config.initial.weights = str(source)
    config.initial.frozen = ("discriminator/stage_0*", "generator/linear")
    return config


@pytest.mark.slow
def test_a_run_begins_with_a_preset_records_it_and_resumes_to_the_bit(tmp_path, data, caplog):
    saved_preset.save(tmp_path / "preset", names=())
    layers = {name.split("/")[0] for name in variables_by_path(tiny.config().model.discriminator())}
    first = sorted(layers)[0]

    def config(steps):
        made = fine_tuning(data, tmp_path / "preset", steps)
        made.initial.frozen = (f"discriminator/{first}", "generator/linear")
        return made

    with caplog.at_level(logging.INFO, logger="biggan_tf"):
        assert loop.train(config(2), str(tmp_path / "whole")) == loop.DONE
    assert "3 of 3 classes are known to it" in caplog.text
    assert loop.train(config(1), str(tmp_path / "halves")) == loop.DONE
    (tmp_path / "preset").rename(tmp_path / "moved")  # the second half needs it no more
    assert loop.train(config(2), str(tmp_path / "halves")) == loop.DONE
    assert tiny.checkpoint_digest(tmp_path / "whole", 2) == tiny.checkpoint_digest(tmp_path / "halves", 2)
    loaded = load_checkpoint(str(tmp_path / "whole"))
    assert loaded.config.initial.weights == str(tmp_path / "preset")
    kept = variables_by_path(initial_weights.load_trained(str(tmp_path / "moved")).generator)
    for name, variable in variables_by_path(loaded.generator).items():
        if name.startswith("linear/") and name.endswith(("kernel", "bias")):
            np.testing.assert_array_equal(variable, kept[name])
    other = config(6)
    other.initial.frozen = ()
    with pytest.raises(checkpoint_files.CheckpointError, match=r"initial\.frozen"):
        loop.train(other, str(tmp_path / "whole"))


def test_few_images_seen_often_without_augmentation_are_told(data, caplog):
    config = tiny.config(num_steps=10_000, discriminator_steps=1)
    assert "each will be seen 182 times" in small_data.advice(440, config)
    assert "--augment=ada" in small_data.advice(440, config)
    assert small_data.advice(440, tiny.config(num_steps=100)) == ""
    assert small_data.advice(50_000, config) == ""
    config.augmentation = from_dict(Config, {"augmentation": {"kind": "adaptive"}}).augmentation
    assert small_data.advice(440, config) == ""
