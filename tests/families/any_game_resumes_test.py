"""Whatever a run's game and condition are: it goes on to the bit, and an overflow on one of two replicas stops both.

Each game has all penalties that it can take, some of them lazily, with LeCam's averages and top-k, on the toy's
networks where these can play it. The fast tests run one of each kind.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config import to_dict
from biggan_tf.config.parts import kinds, load
from biggan_tf.games.config import AdversarialConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training import distribution, phases
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from biggan_tf.training.step_runner import StepRunner
from serving.client.generator_client import GeneratorClient
from serving.export.config import ExportConfig
from serving.export.export_run import export_run
from tests.biggan_tf.training import tiny
from tests.families.conformance_test import assert_equal, data, run, stored
from tests.families.matrix_test import CONDITION_NUMBERS, eagerly
from tests.families.registry import smallest
from tests.serving import embedded
from tests.two_replicas import two_replicas

__all__ = ["data", "eagerly"]

# The networks that play a game; all others are played by the toy's.
FAMILIES = {"multi_hinge": "progan", "restoration": "super_resolution", "stylegan2": "stylegan2"}
PENALTIES = PenaltiesConfig(
    r1=1.0,
    r1_every=2,
    r2=1.0,
    gradient_penalty=1.0,
    max_gradient_penalty=0.1,
    dragan=1.0,
    lecam=0.3,
    lecam_start_images=9,
    consistency=1.0,
    consistency_every=3,
    latent_consistency=1.0,
    orthogonal=1e-3,
)
OF_GENERATOR = {"latent_spread": 0.5, "feature_matching": 1.0}
# What a game weighs itself.
NOT_COMPOSED = {"r3gan": ("r1", "r2"), "stylegan2": ("r1",), "wasserstein_gp": ("gradient_penalty",)}
RELATIVISTIC = ("r3gan", "relativistic", "relativistic_average")
GAMES = sorted(kinds("game"))
CONDITIONS = sorted(kinds("condition"))


def of_game(kind, policy="float32"):
    """The smallest run that plays a game with all that it can take."""
    config = smallest(FAMILIES.get(kind, "toy"), policy=policy)
    config.augmentation = load("augmentation", "none")()
    if kind == "restoration":  # moved images are no game of networks that enlarge images
        config.game.game.penalties = dataclasses.replace(PENALTIES, consistency=0.0)
        return config
    config.game = load("game", kind)()
    if isinstance(config.game, AdversarialConfig):
        left_out = dict.fromkeys(NOT_COMPOSED.get(kind, ()), 0.0)
        of_generator = {} if kind in RELATIVISTIC else OF_GENERATOR
        config.game.penalties = dataclasses.replace(PENALTIES, **left_out, **of_generator)
        config.game.discriminator_steps = 1
        if kind == "stylegan2":
            config.game.r1_every = config.game.path_length_every = 2
        if kind not in RELATIVISTIC:
            config.game.top_k_share, config.game.top_k_epoch_images = 0.5, 16
    return config


def of_condition(kind, policy="float32"):
    """The smallest run with a condition."""
    config = smallest("toy", policy=policy)
    config.augmentation = load("augmentation", "none")()
    config.game = load("game", "hinge")(discriminator_steps=1)
    numbers = {"sizes": (8,), "weights": (0.5,)} if kind == "level_information" else CONDITION_NUMBERS.get(kind, {})
    config.model.condition = load("condition", kind)(**numbers)
    return config


def run_of(kind, policy="float32"):
    return of_condition(kind, policy) if kind in CONDITIONS else of_game(kind, policy)


def new_gan(config, strategy, seed):
    config.model.generator(), config.model.discriminator()  # as in conformance_test.trained
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        return GAN(config)


def stepped(gan, cluster, batches, steps):
    """Trains some steps with the next of some batches; returns the reports."""
    runner = StepRunner(cluster, gan, lambda: tuple(map(tf.constant, next(batches))))
    return [runner.run() for _ in range(steps)]


def batches_from(number):
    return (tiny.batch(8, seed) for seed in range(number, 100))


def test_every_run_is_possible():
    assert [run_of(kind).problems() for kind in (*GAMES, *CONDITIONS)] == [[]] * (len(GAMES) + len(CONDITIONS))


@pytest.mark.parametrize(
    ("kind", "half"),
    [("hinge", 1), *(pytest.param(kind, 2, marks=pytest.mark.slow) for kind in (*GAMES, *CONDITIONS))],
)
def test_a_run_goes_on_to_the_bit(kind, half, tmp_path, eagerly):
    config, strategy = run_of(kind), tf.distribute.OneDeviceStrategy("/cpu:0")
    if half == 1:  # the fast test leaves out what takes long
        dear = dict.fromkeys(
            (
                "gradient_penalty",
                "max_gradient_penalty",
                "dragan",
                "consistency",
                "latent_consistency",
                "latent_spread",
                "r2",
            ),
            0.0,
        )
        config.game.penalties = dataclasses.replace(config.game.penalties, **dear)
    cluster = distribution.Cluster(strategy)
    straight = new_gan(config, strategy, 1)
    batches = batches_from(0)
    stepped(straight, cluster, batches, half)
    summary = checkpoint_files.CheckpointSummary(half, int(straight.images_seen.numpy()), to_dict(config))
    folder = Checkpoints(str(tmp_path), config, straight.state()).save(summary)
    first = tiny.values(straight.state())
    stepped(straight, cluster, batches, half)

    resumed = new_gan(config, strategy, 2)
    assert any((tiny.values(resumed.state())[name] != value).any() for name, value in first.items())
    Checkpoints(str(tmp_path), config, resumed.state()).restore(folder)
    assert_equal(tiny.values(resumed.state()), first)
    read = sum(phases.batches_read(resumed.phases, 1, step) for step in range(half))
    stepped(resumed, cluster, batches_from(read), half)
    ours, theirs = tiny.values(resumed.state()), tiny.values(straight.state())
    assert_equal(ours, theirs)
    moved = {name.split("/")[0] for name, value in theirs.items() if (value != first[name]).any()}
    assert moved >= {"generator", "discriminator", "generator_optimizer", "discriminator_optimizer", "progress"}
    if "game" in straight.state():
        assert all((theirs[name] != first[name]).all() for name in theirs if name.startswith("game/"))


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind == "reacgan" else [pytest.mark.slow]) for kind in (*GAMES, *CONDITIONS)],
)
def test_an_overflow_on_one_of_two_replicas_stops_both(kind, eagerly):
    assert_an_overflow_stops_both(run_of(kind, "mixed_float16"))


def assert_an_overflow_stops_both(config):
    strategy = two_replicas()
    config.loss_scale.initial = 64.0  # so that nothing else overflows
    cluster = distribution.Cluster(strategy)
    gan = new_gan(config, strategy, 1)
    before = tiny.values(gan.state())

    def broken():
        """The second replica's images are larger than any number of float16."""
        for images, labels in batches_from(50):
            yield np.concatenate([images[:4], np.full_like(images[4:], 1e30)]), labels

    (report,) = stepped(gan, cluster, broken(), 1)  # in the first step every phase is due
    of_discriminator = [phases.prefix(phase) for phase in gan.phases if phase.trains == "discriminator"]
    assert [report[f"{prefix}skipped"] for prefix in of_discriminator] == [1.0] * len(of_discriminator)
    after = tiny.values(gan.state())
    assert after["discriminator_optimizer/loss_scale/overflows"] == len(of_discriminator)
    for name, value in after.items():
        part, _, rest = name.partition("/")
        if value.dtype.kind == "f":
            assert np.isfinite(value).all(), name
        is_moment = part == "discriminator_optimizer" and not rest.startswith("loss_scale/")
        is_average = name == "game/lecam_average_real"  # that of fakes moves, whose logits are finite
        if is_moment or is_average or (part == "discriminator" and is_trained(gan.discriminator, rest)):
            np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert distribution.ReplicaCheck(cluster, gan.state()).differing() == []
    # It goes on with the next images.
    (report,) = stepped(gan, cluster, batches_from(0), 1)
    assert report["d_skipped"] == 0.0
    later = tiny.values(gan.state())
    assert any((later[name] != after[name]).any() for name in after if name.startswith("discriminator/"))
    assert all(np.isfinite(value).all() for value in later.values() if value.dtype.kind == "f")


def is_trained(network, path):
    return any(variable.path.endswith(f"/{path}") for variable in network.trainable_variables)


@pytest.mark.slow
def test_a_compiled_run_with_lecam_top_k_and_a_lazy_penalty_goes_on_to_the_bit(tmp_path, data):
    def trained_to(folder, steps):
        config = of_game("non_saturating")
        config.game.penalties = PenaltiesConfig(lecam=0.3, lecam_start_images=9, r1=1.0, r1_every=2)
        run(config, tmp_path / folder, data, steps)

    trained_to("straight", 4)
    trained_to("halves", 2)
    trained_to("halves", 4)
    theirs = stored(tmp_path / "straight", 4)
    assert sum("lecam_average" in name for name in theirs) == 2
    assert_equal(stored(tmp_path / "halves", 4), theirs)


@pytest.mark.slow
def test_a_generator_with_codes_is_served_with_its_pictures(tmp_path, data):
    """InfoGAN's is the one condition that changes what the generator is given; games change nothing of it."""
    changing = {kind for kind in kinds("condition") if load("condition", kind).has_codes}
    assert changing == {"infogan"}
    run(of_condition("infogan"), tmp_path / "run", data, 2)
    export_run(str(tmp_path / "run"), str(tmp_path / "served"), ExportConfig(passes=1, batch_size=4))
    labels, seeds, truncation = [0, 1, 2], [5, 6, 7], 0.5
    with (
        embedded.running(model_base_path=str(tmp_path / "served")) as (_, address),
        GeneratorClient(address, "small") as client,
    ):
        together = client.sample(labels, seeds=seeds, truncation=truncation)
        alone = client.sample(labels[1:2], seeds=seeds[1:2], truncation=truncation)
    np.testing.assert_array_equal(together[1], alone[0])
    generator, _, _ = load_generator(tmp_path / "run")

    def drawn():
        rows = tf.constant(labels), tf.constant(seeds, tf.int64), tf.constant(truncation)
        return to_bytes(latents.images_of_rows(generator, *rows)).numpy().astype(int)

    images = drawn()
    assert np.abs(together - images).max() <= 1
    # The codes are no values of N(0, 1): without them other pictures would have been served.
    generator.config.condition = load("condition", "projection")()
    assert np.abs(drawn() - images).max() > 1
