"""What every family must do, whatever its networks are: each test runs for each member of `registry.MEMBERS`."""

import dataclasses
import functools
import json
import os
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.config.parts import kinds
from biggan_tf.contracts.game import Batch
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.metrics import fidelity, reference_statistics
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training import cost, distribution, loop
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.gan import GAN
from biggan_tf.training.step_runner import StepRunner
from serving.client.generator_client import GeneratorClient
from serving.export.config import ExportConfig
from serving.export.export_run import export_run
from tests.biggan_tf.training import tiny
from tests.biggan_tf.training.fork_server import ForkServer
from tests.data import made_data
from tests.families.registry import ENLARGING, LARGE, MEMBERS, SAMPLING, smallest
from tests.serving import embedded
from tests.two_replicas import two_replicas

every_family = pytest.mark.parametrize("kind", sorted(MEMBERS))
SLOW = (*LARGE, *ENLARGING, "biggan")


def compiled(exhaustive=()):
    """For tests that compile whole steps, which takes ten seconds and more: the toy alone is among the fast ones.

    Args:
        exhaustive: The families that wait for the exhaustive tests, so that CI's stay within its time.
    """
    marks = {kind: [pytest.mark.slow] for kind in SLOW}
    for kind in exhaustive:
        marks[kind].append(pytest.mark.exhaustive)
    return pytest.mark.parametrize("kind", [pytest.param(kind, marks=marks.get(kind, ())) for kind in sorted(MEMBERS)])


every_family_compiled = compiled()
most_families_compiled = compiled(exhaustive=("progan", "r3gan", "super_resolution"))
Z = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
LABELS = np.array([0, 2, 1, 0], np.int32)
SMALL = np.random.default_rng(1).uniform(-1, 1, (4, 4, 4, 3)).astype(np.float32)
KEYS = tf.constant([[1, 2], [3, 4], [5, 6], [7, 8]], tf.int64)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=12)
    return str(folder)


def of_class(generator, rows=slice(None)):
    if generator.config.enlargement > 1:
        return generator.inputs_of(Z[rows], SMALL[rows])
    return generator.inputs_of(Z[rows], LABELS[rows] if generator.config.num_classes else None)


def with_what_is_given(discriminator, images):
    if discriminator.config.enlargement > 1:
        return images, SMALL
    return (images, LABELS) if discriminator.config.num_classes else images


def trained(config, steps=2, replicas=1):
    """A GAN after some steps on made-up batches, the same for any number of replicas."""
    strategy = two_replicas() if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    # What is imported here for the first time is type-checked from then on, which draws from Python's random numbers.
    config.model.generator(), config.model.discriminator()
    keras.utils.set_random_seed(1)
    with strategy.scope():
        gan = GAN(config)
    rows = config.training.batch_size // config.training.accumulation_steps
    batches = iter([tiny.batch(rows, seed) for seed in range(100)])
    runner = StepRunner(distribution.Cluster(strategy), gan, lambda: tuple(map(tf.constant, next(batches))))
    return gan, [runner.run() for _ in range(steps)]


def test_every_family_has_its_smallest_run():
    assert all(smallest(kind).model.kind == kind for kind in MEMBERS)
    assert set(kinds("model")) == set(MEMBERS)


def test_no_two_families_share_the_name_by_which_keras_loads_a_network():
    networks = [getattr(smallest(kind).model, part)() for kind in MEMBERS for part in ("generator", "discriminator")]
    names = [keras.saving.get_registered_name(type(network)) for network in networks]
    assert len(set(names)) == len(networks)


@pytest.mark.parametrize(
    ("kind", "num_classes"), [*((kind, 0) for kind in sorted(MEMBERS)), *((kind, 3) for kind in SAMPLING)]
)
def test_networks_have_the_shapes_of_their_contract(kind, num_classes):
    config = smallest(kind, num_classes=num_classes)
    assert config.problems() == []
    generator, discriminator = config.model.generator(), config.model.discriminator()
    images = generator(of_class(generator), keys=KEYS)
    assert images.shape == (4, 8, 8, 3)
    assert images.dtype == "float32"
    assert np.isfinite(images).all()
    z, embedding = generator.checked(of_class(generator))
    assert generator.embedding_dim == (embedding.shape[1] if num_classes else 0)
    # The two halves are the whole.
    np.testing.assert_array_equal(generator.synthesise(generator.styles(z, embedding), KEYS), images)
    judgement = discriminator(with_what_is_given(discriminator, images))
    assert judgement.logits.shape == (4,)
    assert judgement.logits.dtype == "float32"
    assert judgement.features.shape[0] == 4
    for network in (generator, discriminator):
        assert all(np.isfinite(value) for value in network.health().values())


@every_family
def test_a_summary_shows_the_shape_of_every_layer(kind):
    gan = GAN(smallest(kind))
    for network in (gan, gan.generator, gan.discriminator):
        lines = []
        network.summary(line_length=150, print_fn=lines.append)
        rows = [line for line in "\n".join(lines).splitlines() if line.startswith("│")]
        assert len(rows) > 1
        assert [line for line in rows if "(None" not in line] == []


@every_family
def test_noise_depends_on_the_key_of_its_row_alone(kind):
    generator = smallest(kind).model.generator()
    for strength in (variable for variable in generator.trainable_variables if variable.shape == ()):
        strength.assign_add(1.0)  # A new network's may be 0.
    images = np.asarray(generator(of_class(generator), keys=KEYS))
    other = np.asarray(generator(of_class(generator), keys=KEYS + 1))
    assert np.array_equal(images, other) != generator.has_noise
    turned = generator(of_class(generator, [2, 0]), keys=tf.gather(KEYS, [2, 0]))
    np.testing.assert_allclose(turned, images[[2, 0]], rtol=0, atol=1e-5)


@every_family
def test_configuration_comes_back_from_json_and_finds_its_mistakes(kind):
    config = smallest(kind)
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config
    wrong = dataclasses.replace(config.model, prior="norml", z_dim=0)
    problems = dataclasses.replace(config, model=wrong).problems()
    assert any("did you mean normal" in problem for problem in problems)
    assert any("model.z_dim must be at least 1" in problem for problem in problems)


@every_family
def test_networks_are_saved_and_loaded(kind, tmp_path):
    config = smallest(kind).model
    generator, discriminator = config.generator(), config.discriminator()
    images = np.asarray(generator(of_class(generator)))
    judged = with_what_is_given(discriminator, images)
    for network, inputs in ((generator, of_class(generator)), (discriminator, judged)):
        network.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras")
        assert loaded.config == network.config
        for one, other in zip(keras.tree.flatten(network(inputs)), keras.tree.flatten(loaded(inputs)), strict=True):
            np.testing.assert_array_equal(one, other)


@every_family
def test_gradients_are_the_slopes_of_the_loss(kind):
    gan = GAN(smallest(kind, policy="float64"))
    real = Batch(*map(tf.constant, tiny.batch(8)))
    # New biases are 0, and so a blank part of an image lies exactly on the kinks of a ReLU.
    biases = [v for v in gan.generator.trainable_variables + gan.discriminator.trainable_variables if len(v.shape) < 2]
    for number, variable in enumerate(biases):
        noise = np.random.default_rng(100 + number).standard_normal(variable.shape)
        variable.assign(variable + 0.05 * noise)
    others = [*gan.generator.non_trainable_variables, *gan.discriminator.non_trainable_variables]
    others += gan.state().get("game", {}).values()
    state = [variable.numpy() for variable in others]

    def passed(phase):
        for variable, value in zip(others, state, strict=True):
            variable.assign(value)
        return gan.gradients(phase, real if phase.reads_data else None, 8, 0)

    for phase in gan.phases:
        variables = gan.update_of(phase).variables
        direction = [np.random.default_rng(i).standard_normal(v.shape) for i, v in enumerate(variables)]
        slope = sum(np.vdot(g, d) for g, d in zip(passed(phase).gradients, direction, strict=True))
        losses, start = [], [variable.numpy() for variable in variables]
        for step in (1e-8, -1e-8):  # no longer, or a ReLU may change its side on the way
            for variable, value, d in zip(variables, start, direction, strict=True):
                variable.assign(value + step * d)
            losses.append(float(passed(phase).scalars[0]))
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        # Not nearer: spectral norm's gradient takes u and v for constants, which they are once they have converged.
        assert (losses[0] - losses[1]) / 2e-8 == pytest.approx(slope, rel=1e-3)


@pytest.mark.slow
@compiled(exhaustive=SLOW)  # replicas that accumulate, below, show both at once
def test_two_replicas_equal_one(kind):
    assert_two_replicas_equal_one(kind, accumulation=1)


@every_family_compiled
def test_two_replicas_that_accumulate_equal_one(kind):
    assert_two_replicas_equal_one(kind, accumulation=2)


def assert_two_replicas_equal_one(kind, accumulation):
    config = smallest(kind, policy="float64")
    config.training.accumulation_steps = accumulation
    (one, one_reports), (two, two_reports) = trained(config), trained(config, replicas=2)
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for part in one.state():
        apart, size = (
            np.linalg.norm([np.linalg.norm(v) for v in values])
            for values in zip(*((ours[n] - v, v) for n, v in theirs.items() if n.startswith(part)), strict=True)
        )
        assert apart < 1e-10 * size + 1e-12, part
    for ours_report, theirs_report in zip(two_reports, one_reports, strict=True):
        # It is taken over the rows of one replica, which are fewer.
        ours_report.pop("sample_deviation"), theirs_report.pop("sample_deviation")
        assert ours_report == pytest.approx(theirs_report, rel=1e-5, abs=1e-6)


@most_families_compiled
def test_a_step_compiles_under_xla(kind):
    config = smallest(kind)
    config.training.jit_compile = True
    _, reports = trained(config, steps=1)
    assert np.isfinite(list(reports[0].values())).all()


@most_families_compiled
def test_bfloat16_trains(kind):
    assert_trains_in("mixed_bfloat16", kind)


@every_family_compiled
def test_float16_trains(kind):
    assert_trains_in("mixed_float16", kind)


def assert_trains_in(policy, kind):
    gan, reports = trained(smallest(kind, policy=policy), steps=2)
    assert all(variable.dtype == "float32" for variable in gan.generator.trainable_variables)
    assert np.isfinite([report["d_loss"] for report in reports]).all()


@every_family
def test_a_dry_run_counts_what_there_is(kind):
    config = smallest(kind)
    report, gan = cost.report(config), GAN(config)
    for name in ("generator", "discriminator"):
        count = sum(int(np.prod(v.shape)) for v in getattr(gan, name).trainable_variables)
        assert report["parameters"][name] == count
    assert report["memory_bytes_per_replica"]["total"] > 0


def run(config, workdir, data, num_steps):
    config.data.path = data
    config.training.num_steps = num_steps
    config.checkpoints.every_steps = 2
    config.monitoring.log_every_steps = config.monitoring.sample_every_steps = 2
    assert loop.train(config, str(workdir)) == loop.DONE


def stored(workdir, step):
    folder = checkpoint_files.folder_of(str(workdir), step)
    reader = tf.train.load_checkpoint(os.path.join(folder, checkpoint_files.STATE))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names}


def assert_equal(ours, theirs):
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)


@every_family_compiled
def test_a_run_trains_draws_resumes_samples_and_is_evaluated(kind, tmp_path, data, extractor):
    run(smallest(kind), tmp_path / "straight", data, 4)
    run(smallest(kind), tmp_path / "halves", data, 2)
    run(smallest(kind), tmp_path / "halves", data, 4)
    assert_equal(stored(tmp_path / "halves", 4), stored(tmp_path / "straight", 4))
    assert (tmp_path / "straight" / "samples" / "step-00000004.png").stat().st_size > 0
    generator, config, images_seen = load_generator(tmp_path / "straight")
    assert images_seen == 4 * 8 * config.game.discriminator_steps
    if kind in ENLARGING:
        result = EnlargementEvaluator(fidelity.METRICS, data, "train", 24, extractor).evaluate(generator)
        assert np.isfinite(list(result.metrics.values())).all()
        return
    images, labels = next(GeneratorSampler(generator, seed=3, batch_size=6).batches(6))
    again = np.concatenate([part for part, _ in GeneratorSampler(generator, seed=3, batch_size=2).batches(6)])
    assert np.abs(images.astype(int) - again).max() <= 1
    assert labels.shape == (6,)
    reference = reference_statistics.build(data, extractor, num_images=24)
    result = Evaluator(extractor, reference, ("fd", "kid"), 24, None).evaluate(GeneratorSampler(generator))
    assert np.isfinite(list(result.metrics.values())).all()


@pytest.fixture(scope="module")
def extractor():
    keras.utils.set_random_seed(0)
    x = images = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(x))
    network = keras.Model(images, (features, keras.layers.Dense(3)(features)))
    names = ("class_0", "class_1", "class_2")
    resize = functools.partial(tf.image.resize, size=(8, 8))  # patches are smaller
    return FeatureExtractor(FeatureProtocol("tiny", "0" * 64, "none"), network, resize, "fd_tiny", names)


@pytest.mark.slow
@every_family
def test_a_killed_run_goes_on_to_the_bit(kind, tmp_path, data):
    server = ForkServer()
    fields = {"training.num_steps": 6, "checkpoints.every_steps": 3, "monitoring.log_every_steps": 1}
    try:
        assert server.train(tmp_path / "straight", data, config=MEMBERS[kind], **fields) == 0
        pid = server.start(tmp_path / "killed", data, pause_after=4, config=MEMBERS[kind], **fields)
        while 3 not in checkpoint_files.list_steps(str(tmp_path / "killed")):
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        assert server.train(tmp_path / "killed", data, config=MEMBERS[kind], **fields) == 0
    finally:
        server.close()
    assert_equal(stored(tmp_path / "killed", 6), stored(tmp_path / "straight", 6))


@every_family_compiled
def test_an_export_is_served_with_the_pictures_of_its_generator(kind, tmp_path, data):
    run(smallest(kind), tmp_path / "run", data, 2)
    plan = ExportConfig(truncations=(0.0, 0.5, 1.0), passes=1, batch_size=4, discriminator=kind not in ENLARGING)
    base = tmp_path / "served"
    export_run(str(tmp_path / "run"), str(base), plan)
    if kind in ENLARGING:
        pictures = [tf.io.encode_png(levels).numpy() for levels in to_bytes(SMALL[:2])]
        with embedded.running(model_base_path=str(base)) as (_, address), GeneratorClient(address, "small") as client:
            together, alone = client.upscale(pictures, [5, 6]), client.upscale(pictures[1:], [6])
        enlarger = TiledEnlarger(load_generator(tmp_path / "run")[0])
        expected = enlarger(tf.io.decode_png(pictures[1]).numpy(), 6)
        assert together[1] == alone[0]
        assert np.abs(tf.io.decode_png(alone[0]).numpy().astype(int) - expected).max() <= 1
        return
    with embedded.running(model_base_path=str(base)) as (_, address), GeneratorClient(address, "small") as client:
        together = client.sample([0, 1, 2], seeds=[5, 6, 7], truncation=0.5)
        alone = client.sample([1], seeds=[6], truncation=0.5)
    assert together.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(together[0], together[1])
