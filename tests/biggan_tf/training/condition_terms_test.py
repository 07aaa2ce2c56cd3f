"""Which phases of which games a condition adds its terms to, and that replicas and precisions do not change them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.conditions.config import (
    ACGANConfig,
    ContraGANConfig,
    InfoGANConfig,
    InfoMaxConfig,
    InfoNCEConfig,
    LevelInformationConfig,
    ReACGANConfig,
)
from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.config.parts import kinds, load
from biggan_tf.contracts.game import Batch
from biggan_tf.games.config import AdversarialConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.training import cost
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_discriminator
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.data import made_data
from tests.families.conformance_test import assert_equal, run, stored, trained
from tests.families.registry import SAMPLING, smallest

CONDITIONS = {
    "acgan": (ACGANConfig(), {"d_class_real", "d_class_fake"}, {"g_class"}),
    "contragan": (ContraGANConfig(embedding_dim=4), {"d_contrast"}, {"g_contrast"}),
    "info_max": (
        InfoMaxConfig(embedding_dim=4),
        {"d_places", "d_place_information"},
        {"g_places", "g_place_information"},
    ),
    "info_nce": (InfoNCEConfig(embedding_dim=4), {"d_views", "d_fakes_among", "d_view_information"}, set()),
    "infogan": (InfoGANConfig(categories=(3,), normal_codes=1), {"d_information"}, {"g_information"}),
    "level_information": (LevelInformationConfig((8,), (0.5,)), {"d_information_0"}, {"g_information_0"}),
    "reacgan": (ReACGANConfig(embedding_dim=4), {"d_data_to_data"}, {"g_data_to_data"}),
}
every_condition = pytest.mark.parametrize("kind", sorted(CONDITIONS))
OF_CLASSES = sorted(kind for kind, (condition, *_) in CONDITIONS.items() if not condition.keeps_own_head)


def with_condition(family, condition, **model):
    config = smallest(family, condition=condition, **model)
    config.augmentation = load("augmentation", "none")()
    if isinstance(condition, LevelInformationConfig):
        sizes = config.model.latent_levels()
        config.model.condition = LevelInformationConfig(sizes, tuple(0.5 for _ in sizes))
    if condition.kind in ("infogan", "level_information") and hasattr(config.game, "style_mixing"):
        config.game.style_mixing = 0.0
    return config


def reported(gan, phase, seed=0):
    """The names of the scalars of a phase, and its loss."""
    real = Batch(*map(tf.constant, tiny.batch(8, seed))) if phase.reads_data else None
    part = gan.gradients(phase, real, 8, 0)
    assert all(np.isfinite(gradient).all() for gradient in part.gradients)
    return set(part.names), float(part.scalars[0])


@pytest.mark.parametrize("game", sorted(set(kinds("game")) - {"stylegan2", "multi_hinge", "restoration"}))
def test_the_main_phases_of_any_game_gain_the_terms(game):
    # Each game with one of them: tests/families/matrix_test.py has all.
    kind = sorted(CONDITIONS)[sorted(kinds("game")).index(game) % len(CONDITIONS)]
    condition, of_discriminator, of_generator = CONDITIONS[kind]
    config = with_condition("toy", condition)
    config.game = load("game", game)()
    if isinstance(config.game, AdversarialConfig):
        config.game.discriminator_steps = 1
    if type(config.game).__name__ == "HingeConfig":
        config.game.penalties = PenaltiesConfig(r1=1.0, r1_every=2, consistency=1.0, latent_consistency=1.0)
    assert config.problems() == []
    gan = GAN(config)
    for phase in gan.phases:
        names, _ = reported(gan, phase)
        wanted = of_discriminator if phase.trains == "discriminator" else of_generator
        assert (wanted <= names) == (phase.name == ""), phase


def test_a_game_of_styles_gains_the_terms_in_its_main_phases():
    condition, of_discriminator, of_generator = CONDITIONS["acgan"]
    config = with_condition("stylegan2", condition)
    config.game.blur_sigma, config.game.blur_fade_images = 1.0, 100  # D sees changed copies of the batches
    gan = GAN(config)
    for phase in gan.phases:
        names, _ = reported(gan, phase)
        assert bool((of_discriminator | of_generator) & names) == (phase.name == ""), phase


@pytest.mark.parametrize("family", SAMPLING)
@every_condition
def test_any_family_carries_the_heads(family, kind, tmp_path):
    config = with_condition(family, CONDITIONS[kind][0])
    assert config.problems() == []
    assert from_dict(Config, to_dict(config)) == config
    network = config.model.discriminator()
    images, labels = map(tf.constant, tiny.batch(4))
    judgement = network((images, labels))
    assert all(value.shape[0] == 4 and value.dtype == "float32" for value in judgement.heads.values())
    moved = np.abs(judgement.logits - network((images, (labels + 1) % 3)).logits).max()
    own_head = config.model.condition.keeps_own_head
    assert bool(moved) == (own_head and family != "progan")
    assert ("classes" in judgement.heads) == (own_head and family == "progan")
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    for name, value in judgement.heads.items():
        np.testing.assert_array_equal(loaded((images, labels)).heads[name], value)


@pytest.mark.parametrize("kind", sorted(set(CONDITIONS) - set(OF_CLASSES)))
def test_conditions_of_images_need_no_classes(kind):
    condition, of_discriminator, of_generator = CONDITIONS[kind]
    config = with_condition("toy", condition, num_classes=0)
    assert config.problems() == []
    gan = GAN(config)
    for phase in gan.phases:
        assert reported(gan, phase)[0] >= (of_discriminator if phase.trains == "discriminator" else of_generator)


def test_a_discriminator_may_be_told_no_class_though_the_generator_is():
    config = with_condition("biggan", load("condition", "none")())
    assert config.problems() == []
    network = config.model.discriminator()
    images, labels = map(tf.constant, tiny.batch(4))
    np.testing.assert_array_equal(network((images, labels)).logits, network((images, (labels + 1) % 3)).logits)
    assert not any("embedding" in variable.path for variable in network.weights)


@pytest.mark.parametrize("family", SAMPLING)
@every_condition
def test_a_dry_run_counts_the_heads(family, kind):
    config = with_condition(family, CONDITIONS[kind][0])
    counted = cost.report(config)["parameters"]["discriminator"]
    network = config.model.discriminator()
    assert counted == sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
    assert network.condition_head.trainable_variables


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind == "info_nce" else [pytest.mark.exhaustive]) for kind in sorted(CONDITIONS)],
)
def test_a_step_compiles_under_xla(kind):
    config = with_condition("toy", CONDITIONS[kind][0])
    config.training.jit_compile = True
    _, (report,) = trained(config, steps=1)
    assert np.isfinite(list(report.values())).all()


@pytest.mark.parametrize("family", SAMPLING)
def test_float64_is_not_rounded_in_a_head(family):
    network = with_condition(family, CONDITIONS["contragan"][0], policy="float64").model.discriminator()
    judgement = network(tuple(map(tf.constant, tiny.batch(4))))
    kernel = np.asarray(network.condition_head.linear.kernel)
    assert kernel.dtype == np.float64
    head = network.condition_head
    unused_map = np.zeros((4, 1, 1, 1))
    np.testing.assert_array_equal(head(judgement.features, unused_map)["embedding"], judgement.heads["embedding"])
    assert np.any(np.float32(judgement.heads["embedding"]) != judgement.heads["embedding"])


def test_spectral_norm_divides_the_kernel_of_a_head():
    network = with_condition("biggan", CONDITIONS["acgan"][0]).model.discriminator()
    u = [v for v in network.non_trainable_variables if "condition_head" in v.path]
    before = [variable.numpy() for variable in u]
    assert before
    network(tuple(map(tf.constant, tiny.batch(4))), training=True)
    assert any((variable.numpy() != value).any() for variable, value in zip(u, before, strict=True))


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_conditions_of_classes_need_them(kind):
    (problem,) = with_condition("toy", CONDITIONS[kind][0], num_classes=0).problems()
    assert f"model.condition {kind} needs classes" in problem


@every_condition
def test_a_family_without_heads_says_so(kind):
    config = with_condition("toy", CONDITIONS[kind][0])
    type(config.model).carries_heads = False
    try:
        (problem,) = config.problems()
    finally:
        type(config.model).carries_heads = True
    assert "carries further heads" in problem


def test_one_image_alone_cannot_be_compared():
    config = with_condition("toy", CONDITIONS["contragan"][0])
    config.training.batch_size = config.training.accumulation_steps = 8
    (problem,) = config.problems()
    assert "2 images at least" in problem


@pytest.mark.parametrize("accumulation", [1, pytest.param(2, marks=[pytest.mark.slow, pytest.mark.exhaustive])])
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in ("acgan", "info_nce") else pytest.mark.slow) for k in sorted(CONDITIONS)]
)
def test_two_replicas_equal_one(kind, accumulation):
    config = with_condition("toy", CONDITIONS[kind][0], policy="float64")
    config.training.accumulation_steps = accumulation
    tf.config.run_functions_eagerly(True)
    try:
        (one, one_reports), (two, two_reports) = (trained(config, steps=2, replicas=number) for number in (1, 2))
    finally:
        tf.config.run_functions_eagerly(False)
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-8, atol=1e-10, err_msg=name)
    for name in CONDITIONS[kind][1] | CONDITIONS[kind][2]:
        assert two_reports[1][name] == pytest.approx(one_reports[1][name], rel=1e-6)


@pytest.mark.slow
def test_a_compiled_step_on_two_replicas_equals_that_on_one():
    config = with_condition("toy", CONDITIONS["reacgan"][0], policy="float64")
    (one, _), (two, _) = (trained(config, steps=2, replicas=number) for number in (1, 2))
    ours = tiny.values(two.state())
    for name, value in tiny.values(one.state()).items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("infogan", marks=pytest.mark.exhaustive), "reacgan"])
def test_a_run_with_wrong_labels_goes_on_to_the_bit(kind, tmp_path):
    made_data.write(tmp_path / "data", num_shards=4, per_shard=12)

    def trained_to(folder, steps, label_noise=0.2, **changes):
        config = with_condition("toy", dataclasses.replace(CONDITIONS[kind][0], **changes))
        config.data.label_noise = label_noise
        run(config, tmp_path / folder, str(tmp_path / "data"), steps)

    trained_to("straight", 4)
    trained_to("halves", 2)
    trained_to("halves", 4)
    assert_equal(stored(tmp_path / "halves", 4), stored(tmp_path / "straight", 4))
    trained_to("right", 4, label_noise=0.0)
    right, wrong = stored(tmp_path / "right", 4), stored(tmp_path / "straight", 4)
    assert any((right[name] != value).any() for name, value in wrong.items())
    summary = checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path / "straight"), 4))
    assert summary.resolved_config().data.label_noise == 0.2
    heads = load_discriminator(tmp_path / "straight").condition_head.trainable_variables
    assert heads
    # A weight may change, and what variables depend on may not.
    trained_to("straight", 6, weight=2.0)
    if kind == "reacgan":
        with pytest.raises(checkpoint_files.CheckpointError, match=r"model\.condition\.embedding_dim: 4 -> 8"):
            trained_to("straight", 8, weight=2.0, embedding_dim=8)


@every_condition
def test_an_overflow_skips_the_update_of_a_head(kind):
    config = with_condition("toy", CONDITIONS[kind][0], policy="mixed_float16")
    config.loss_scale.initial = 2.0**60
    gan = GAN(config)
    phase = next(phase for phase in gan.phases if phase.trains == "discriminator")
    before = gan.discriminator.get_weights()
    gan.update(phase, [gan.gradients(phase, Batch(*map(tf.constant, tiny.batch(8))), 8, 0)])
    assert all((old == new).all() for old, new in zip(before, gan.discriminator.get_weights(), strict=True))
