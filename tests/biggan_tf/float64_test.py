"""The policy float64 holds everything in float64: networks, losses, penalty, optimizers, average, the whole step."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.network import variables_by_path
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.pytorch_weights import load_biggan_pytorch, save_biggan_pytorch
from biggan_tf.training import distribution
from biggan_tf.training.gan import GAN
from biggan_tf.training.step_runner import StepRunner
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.graphs import values_of_type
from tests.biggan_tf.training import tiny

VARIANTS = {
    "plain": {},
    "deep": {"architecture": "biggan_deep", "discriminator_downsampling": (True,)},
    "hub": {"architecture": "biggan_deep", "reference": "tfhub", "discriminator_downsampling": (True,)},
    "compare_gan": {"reference": "compare_gan"},
    "unconditional": {"num_classes": 0, "hierarchical": False},
}
NARROWER = (tf.float32, tf.bfloat16, tf.float16)


def _config(policy="float64", **model):
    """The tiny run with attention in both networks."""
    config = tiny.config(orthogonal_strength=1e-2)
    fields = {"generator_channels": 8, "discriminator_channels": 8, "generator_attention": (8,)}
    fields |= {"discriminator_attention": (4,), "policy": policy}
    for name, value in {**fields, **model}.items():
        setattr(config.model, name, value)
    return config


def _inputs(config):
    images, labels = tiny.batch(8, classes=max(config.model.num_classes, 1))
    z = np.random.default_rng(1).standard_normal((8, config.model.z_dim))
    return z, labels, images.astype(np.float64), labels


@pytest.mark.parametrize(
    "variant", [pytest.param(v, marks=pytest.mark.slow if v in ("deep", "hub") else ()) for v in sorted(VARIANTS)]
)
def test_passes_hold_nothing_narrower(variant):
    config = _config(**VARIANTS[variant])
    gan = GAN(config)
    z, fake_labels, images, labels = _inputs(config)

    def passes(z, fake_labels, images, labels):
        d = tiny.discriminator_gradients(gan, z, fake_labels, images, labels)
        g = tiny.generator_gradients(gan, z, fake_labels)
        return [*d.gradients, d.scalars, *g.gradients, g.scalars]

    traced = tf.function(passes, autograph=False).get_concrete_function(
        *map(tf.constant, (z, fake_labels, images, labels))
    )
    assert {output.dtype for output in traced.outputs} == {tf.float64}
    assert values_of_type(traced, NARROWER) == []
    variables = [v for part, state in gan.state().items() if part != "progress" for v in state.values()]
    dtypes = {tf.as_dtype(v.dtype) for v in variables}
    assert dtypes - {tf.int64, tf.int32} == {tf.float64}


def test_a_step_is_the_float32_step_to_float32s_rounding():
    wide, narrow = GAN(_config()), GAN(_config("float32"))
    for part in ("generator", "discriminator", "ema_generator"):
        for name, variable in variables_by_path(getattr(wide, part)).items():
            value = np.asarray(variable, np.float32)
            variable.assign(value)
            variables_by_path(getattr(narrow, part))[name].assign(value)
    batch = tuple(map(tf.constant, tiny.batch(16)))
    reports = [gan.train_step(batch) for gan in (wide, narrow)]
    for name in ("d_loss", "g_loss", "d_gradient_norm", "g_gradient_norm", "sample_deviation"):
        assert reports[0][name].dtype == tf.float64
        np.testing.assert_allclose(reports[0][name], reports[1][name], rtol=1e-3)


@pytest.mark.parametrize("accumulation", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_runner_trains(accumulation):
    config = _config()
    config.training.accumulation_steps = accumulation
    on = distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    gan = GAN(config)
    batches = iter([tiny.batch(8 // accumulation, seed) for seed in range(4)])
    report = StepRunner(on, gan, lambda: tuple(map(tf.constant, next(batches)))).run()
    assert report["d_skipped"] == report["g_skipped"] == 0
    assert np.isfinite([report["d_loss"], report["g_loss"]]).all()


def test_average_is_numpys():
    config = _config()
    config.training.ema_decay = 0.9
    gan = GAN(config)
    before = {name: np.array(v) for name, v in variables_by_path(gan.ema_generator).items()}
    gan.train_step(tuple(map(tf.constant, tiny.batch(16))))
    ours = variables_by_path(gan.generator)
    for name, average in variables_by_path(gan.ema_generator).items():
        expected = 0.9 * before[name] + (1.0 - 0.9) * np.asarray(ours[name])
        np.testing.assert_allclose(average, expected, rtol=1e-12, atol=1e-14, err_msg=name)


def test_weights_go_to_torchs_files_and_back_without_rounding(tmp_path):
    model = small(reference="ajbrock", policy="float64")
    networks = Generator(model), Discriminator(model)
    save_biggan_pytorch(*networks, tmp_path / "G.pth", tmp_path / "D.pth")
    loaded = load_biggan_pytorch(tmp_path / "G.pth", tmp_path / "D.pth", policy="float64")
    for ours, theirs in zip(networks, loaded, strict=True):
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert other.dtype == np.float64
            np.testing.assert_array_equal(one, other)
