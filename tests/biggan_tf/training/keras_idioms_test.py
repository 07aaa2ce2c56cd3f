"""What whoever knows Keras expects of a model holds for a GAN."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import biggan_tf
from biggan_tf.games.config import NonSaturatingConfig
from biggan_tf.games.non_saturating import NonSaturatingGame
from biggan_tf.training.adam import Adam
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny


def batches(count=4):
    return tf.data.Dataset.from_tensors(tiny.batch(16)).repeat(count)


def fit(gan, data, **options):
    return gan.fit(data, verbose=0, **options)


def fitted(run=tiny.toy, **compiled):
    gan = GAN(run())
    gan.compile(**compiled)
    fit(gan, batches())
    return gan


def values(gan):
    return tiny.values(gan.state())


def test_compile_takes_an_optimizer_for_both_networks():
    gan = fitted(optimizer=keras.optimizers.RMSprop(1e-3))
    inner = [update.optimizer.inner_optimizer for update in (gan.generator_update, gan.discriminator_update)]
    assert [type(optimizer) for optimizer in inner] == [keras.optimizers.RMSprop] * 2
    assert inner[0] is not inner[1]
    assert [int(optimizer.iterations.numpy()) for optimizer in inner] == [4, 8]
    assert float(inner[0].learning_rate) == pytest.approx(1e-3)


def test_compile_takes_an_optimizer_for_each_network():
    gan = fitted(optimizer={"generator": Adam(1e-4), "discriminator": keras.optimizers.SGD(1e-2)})
    assert isinstance(gan.generator_optimizer.inner_optimizer, Adam)
    assert isinstance(gan.discriminator_optimizer.inner_optimizer, keras.optimizers.SGD)


@pytest.mark.parametrize(
    "loss",
    [
        "non_saturating",
        NonSaturatingConfig(orthogonal_strength=0.0),
        NonSaturatingGame(NonSaturatingConfig(orthogonal_strength=0.0)),
    ],
)
def test_compile_takes_a_game(loss):
    gan = GAN(tiny.toy())
    gan.compile(loss=loss)
    batch = tiny.batch(gan.phases[0].repeats * 8)
    history = fit(gan, tf.data.Dataset.from_tensors(batch)).history
    assert history["g_loss"][0] > 0.0  # the hinge loss of G has no such bound
    assert isinstance(gan.phases[0].loss.__self__, NonSaturatingGame)


def test_an_unknown_game_is_named_with_what_there_is():
    with pytest.raises(ValueError, match="game must be one of hinge, least_squares, multi_hinge, non_saturating"):
        GAN(tiny.toy()).compile(loss="hing")


def test_callbacks_of_fit_see_the_scalars():
    seen = []
    gan = GAN(tiny.toy())
    gan.compile()
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["d_loss"]))
    fit(gan, batches(3), callbacks=[note])
    assert len(seen) == 3


def test_config_makes_the_same_gan_again():
    config = tiny.toy()
    config.training.labels = "data"
    gan = GAN(config, class_frequencies=[1, 2, 3])
    again = GAN.from_config(gan.get_config())
    assert again.config == gan.config
    assert again.get_config() == {**gan.get_config(), "name": again.name}


@pytest.mark.slow
def test_a_saved_gan_goes_on_as_if_it_had_not_been_saved(tmp_path):
    gan = fitted()
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    for name, value in values(gan).items():
        np.testing.assert_array_equal(values(loaded)[name], value, name)
    for one in (gan, loaded):
        fit(one, batches(2))
    for name, value in values(gan).items():
        np.testing.assert_array_equal(values(loaded)[name], value, name)


@pytest.mark.slow
def test_a_gan_with_other_optimizers_is_saved_with_them(tmp_path):
    gan = fitted(tiny.config, optimizer=keras.optimizers.Adam(1e-4), loss="non_saturating")
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded.generator_optimizer.inner_optimizer, keras.optimizers.Adam)
    assert isinstance(loaded.phases[0].loss.__self__, NonSaturatingGame)
    for name, value in values(gan).items():
        np.testing.assert_array_equal(values(loaded)[name], value, name)


@pytest.mark.parametrize("part", ["generator", "discriminator", "ema_generator"])
def test_each_network_is_saved_alone(part, tmp_path):
    gan = GAN(tiny.config())
    network = getattr(gan, part)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    for one, other in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_summary_lists_the_networks_with_their_parameters(capsys):
    gan = GAN(tiny.config())
    gan.summary()
    out = capsys.readouterr().out
    assert all(name in out for name in ("generator", "discriminator", "ema_generator"))
    count = sum(
        int(np.prod(v.shape)) for v in gan.generator.trainable_variables + gan.discriminator.trainable_variables
    )
    assert f"{count:,}" in out


def test_an_unconditional_gan_is_called_with_z_alone():
    config = tiny.config()
    config.model.num_classes = 0
    gan = GAN(config)
    assert gan(tf.zeros([2, 8])).shape == (2, 8, 8, 3)
    with pytest.raises(ValueError, match="z alone"):
        biggan_tf.GAN(tiny.config())(tf.zeros([2, 8]))


def test_weights_of_a_file_bring_progress_and_the_states_of_both_optimizers(tmp_path):
    gan = fitted()
    gan.save_weights(tmp_path / "gan.weights.h5")
    other = GAN(tiny.toy())
    other.load_weights(tmp_path / "gan.weights.h5")
    assert int(other.images_seen) == int(gan.images_seen) > 0
    for name, value in values(gan).items():
        np.testing.assert_array_equal(values(other)[name], value, name)


def test_a_global_policy_that_the_configuration_does_not_ask_for_is_refused():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(ValueError, match=r"set config\.model\.policy to mixed_bfloat16"):
            GAN(tiny.toy())
    finally:
        keras.config.set_dtype_policy("float32")


def test_what_means_nothing_for_a_gan_is_refused_in_a_sentence():
    images, labels = tiny.batch(16)
    gan = GAN(tiny.toy())
    with pytest.raises(ValueError, match=r"A GAN reports the scalars of its game\. Received: metrics"):
        gan.compile(metrics=["mse"])
    gan.compile()
    with pytest.raises(ValueError, match="Received: validation_data; leave that out"):
        gan.fit(images, labels, validation_data=(images, labels))
    with pytest.raises(ValueError, match="evaluate has nothing to compute"):
        gan.evaluate(images, labels)
    with pytest.raises(ValueError, match=r"must be trained on .images, labels.\. Received: images alone"):
        gan.train_on_batch(images)


def test_every_network_is_exported_without_a_signature(tmp_path):
    gan = GAN(tiny.config())
    generator, discriminator = gan.ema_generator, gan.discriminator
    generator.export(tmp_path / "generator", verbose=False)
    z, embedding = tf.random.normal([2, 8]), generator.embed(tf.constant([0, 2]))
    loaded = tf.saved_model.load(tmp_path / "generator")
    np.testing.assert_allclose(loaded.serve((z, embedding)), generator((z, embedding)), atol=1e-5)
    discriminator.export(tmp_path / "discriminator", verbose=False)
    images, labels = tiny.batch(2)
    loaded = tf.saved_model.load(tmp_path / "discriminator")
    answer = loaded.serve((tf.constant(images), tf.constant(labels)))
    np.testing.assert_allclose(answer["logits"], discriminator((images, labels)).logits, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow announces where LiteRT's interpreter will move to.
def test_a_generator_as_a_litert_model_gives_its_images(tmp_path):
    generator, path = GAN(tiny.config()).ema_generator, str(tmp_path / "generator.tflite")
    generator.export(path, format="litert", verbose=False)
    runner = tf.lite.Interpreter(path).get_signature_runner()
    z, embedding = tf.random.normal([2, 8]), generator.embed(tf.constant([0, 2]))
    inputs = dict(zip(sorted(runner.get_input_details()), (z.numpy(), embedding.numpy()), strict=True))
    (images,) = runner(**inputs).values()
    np.testing.assert_allclose(images, generator((z, embedding)), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # Keras asks NumPy for a name of old for tf2onnx's sake.
def test_a_generator_as_an_onnx_model_gives_its_images(tmp_path):
    pytest.importorskip("tf2onnx", reason="python -m pip install 'biggan-tf[onnx]'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="python -m pip install 'biggan-tf[onnx]'")
    generator, path = GAN(tiny.config()).ema_generator, str(tmp_path / "generator.onnx")
    generator.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    z, embedding = tf.random.normal([2, 8]), generator.embed(tf.constant([0, 2]))
    names = [each.name for each in session.get_inputs()]
    (images,) = session.run(None, dict(zip(names, (z.numpy(), embedding.numpy()), strict=True)))
    np.testing.assert_allclose(images, generator((z, embedding)), rtol=0, atol=1e-5)


def test_a_wrong_configuration_tells_all_its_problems_in_python_too():
    config = tiny.config()
    config.model.resolution, config.model.generator_table = 30, None
    config.training.batch_size = 0
    with pytest.raises(biggan_tf.ConfigError, match="resolution") as error:
        GAN(config)
    assert len(error.value.problems) >= 2


def test_pictures_depend_on_their_class_seed_and_truncation_alone():
    gan = GAN(tiny.toy())
    pictures = np.asarray(gan.sample([0, 1, 2], seed=7, truncation=0.5))
    assert (pictures.dtype, pictures.shape) == (np.uint8, (3, 8, 8, 3))
    np.testing.assert_array_equal(gan.sample([1], seed=8, truncation=0.5)[0], pictures[1])
    assert np.any(np.asarray(gan.sample([1], seed=9, truncation=0.5)[0]) != pictures[1])
    assert gan.sample().shape == (8, 8, 8, 3)
    with pytest.raises(ValueError, match="a label for each of 2 pictures"):
        gan.sample([1], count=2)


def test_a_callbacks_learning_rate_is_what_the_generator_trains_with_and_a_checkpoint_callback_keeps_it(tmp_path):
    gan = GAN(tiny.toy())
    gan.compile()
    gan.discriminator_optimizer.learning_rate.assign(0.0)
    before = values(gan)
    rates = [1e-5, 1e-7]
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch])
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "gan.keras")
    history = fit(gan, batches(1), epochs=2, callbacks=[schedule, checkpoint]).history
    assert history["g_learning_rate"] == pytest.approx(rates)
    assert history["d_learning_rate"] == [0.0, 0.0]
    moved = {name for name, value in values(gan).items() if np.any(value != before[name])}
    trained = {f"discriminator/{name}" for name in gan.discriminator_update.names}
    assert any(name.startswith("generator/") for name in moved)
    assert not moved & trained
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert int(loaded.steps_done) == 2
    assert float(loaded.optimizer.learning_rate) == pytest.approx(1e-7)


def test_a_batch_that_holds_no_images_is_refused_and_not_counted():
    images, labels = tiny.batch(16)
    gan = GAN(tiny.toy())
    gan.compile()
    with pytest.raises(ValueError, match=r"^Images must lie in \[-1, 1\].*divide by 127.5 and subtract 1.$"):
        gan.train_on_batch(images * 100, labels)
    assert int(gan.steps_done) == 0
