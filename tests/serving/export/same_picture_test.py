"""A class, a seed and a truncation give one picture of a generator with batch norms: drawn, in Python and served."""

import base64
import http.client
import io
import json

import numpy as np
import pytest
from PIL import Image

import biggan_tf
from biggan_tf.config import to_dict
from biggan_tf.evaluation.preset_of_run import PresetTexts, preset_of_run
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.evaluation.sampling.sampling_options import SamplingOptions
from biggan_tf.inference import batch_norm_moments, standing_statistics
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from serving.client import GeneratorClient
from serving.export import export_generator as module
from serving.export.config import ExportConfig
from serving.export.export_run import export_preset, export_run
from tests.biggan_tf.training import tiny
from tests.free_port import free_port
from tests.serving.embedded import running

LABELS, SEED, TRUNCATION = [2, 0, 1], 7, 0.43  # between two truncations of the grid
HOW = ExportConfig(passes=3)


@pytest.fixture(scope="module")
def gan():
    """With weights that are not those of the first step, and running moments that are not those of a truncation."""
    config = tiny.config()
    config.model.policy = "float32"  # a GAN draws in the precision that it trains in
    made, random = GAN(config), np.random.default_rng(3)
    for variable in made.ema_generator.weights:
        if variable.dtype == "float32":
            variable.assign(variable + random.normal(0, 0.1, variable.shape))
    for variable in batch_norm_moments.moment_variables(made.ema_generator)[1::2]:
        variable.assign(np.abs(variable) * 4 + 1)
    return made


@pytest.fixture(scope="module")
def places(gan, tmp_path_factory):
    """The folders of the run, of its preset, and of the models exported from either."""
    folder = tmp_path_factory.mktemp("same")
    workdir, preset = str(folder / "run"), str(folder / "preset")
    summary = checkpoint_files.CheckpointSummary(3, 30, to_dict(gan.config))
    Checkpoints(workdir, gan.config, gan.state()).save(summary)
    with pytest.MonkeyPatch.context() as patch:
        # What was written is served here; a server in another process would take half a minute.
        patch.setattr(module, "validate", lambda *unused: None)
        export_run(workdir, str(folder / "of_run"), HOW)
        preset_of_run(workdir, preset, PresetTexts(), with_discriminator=False)
        # Nothing may be measured again: the run keeps what its export measured, and the preset carries it.
        patch.setattr(standing_statistics, "measure", None)
        export_preset(preset, str(folder / "of_preset"), ExportConfig())
    return workdir, preset, str(folder / "of_run"), str(folder / "of_preset")


def served(base):
    """The pictures over gRPC and over REST."""
    rest = free_port()
    with running(model_base_path=base, rest_api_port=rest) as (_, target), GeneratorClient(target, "small") as client:
        seeds = [SEED + row for row in range(3)]
        over_grpc = client.sample_png(LABELS, seeds, TRUNCATION)
        rows = [
            {"label": label, "seed": seed, "truncation": TRUNCATION} for label, seed in zip(LABELS, seeds, strict=True)
        ]
        connection = http.client.HTTPConnection("127.0.0.1", rest, timeout=60)
        connection.request("POST", "/v1/models/small:predict", json.dumps({"instances": rows}))
        answer = json.loads(connection.getresponse().read())
        connection.close()
    over_rest = [base64.b64decode(row["image_bytes"]["b64"]) for row in answer["predictions"]]
    return [np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs]) for pngs in (over_grpc, over_rest)]


def sampled(**source):
    """The pictures that `biggan_tf.sample` draws."""
    loaded = image_sources.load(**source, policy="float32")
    options = SamplingOptions(TRUNCATION, standing_passes=None, seed=SEED, as_served=True)
    options.prepare(loaded, TRUNCATION)
    ((images, _),) = options.sampler(loaded).batches(3, LABELS)
    return images


@pytest.mark.slow
def test_one_picture_is_drawn_in_commands_in_python_and_over_grpc_and_rest(places, gan):
    workdir, preset, of_run, of_preset = places
    over_grpc, over_rest = served(of_run)
    by_preset, _ = served(of_preset)
    in_training = gan.sample(LABELS, SEED, TRUNCATION, standing_passes=0)
    pictures = {
        "REST": over_rest,
        "gRPC of the preset's export": by_preset,
        "sample of the run": sampled(workdir=workdir),
        "sample of the preset": sampled(weights=preset),
        "gan.sample": gan.sample(LABELS, SEED, TRUNCATION, standing_passes=3),
        "generate": biggan_tf.from_preset(preset).generate(LABELS, SEED, TRUNCATION),
    }
    for name, images in pictures.items():
        assert np.abs(np.asarray(images).astype(int) - over_grpc).max() <= 1, name
    assert over_grpc.std() > 1
    # And it is the moments that made the difference.
    assert np.abs(np.asarray(in_training).astype(int) - over_grpc).max() > 1


def test_a_gan_draws_by_the_plan_of_an_export_and_measures_anew_when_its_weights_change(gan, monkeypatch):
    measured = []

    def measure(generator, truncations, **options):
        measured.append((tuple(truncations), options["num_passes"], options["batch_size"]))
        return original(generator, truncations, **options)

    original = standing_statistics.measure
    monkeypatch.setattr(standing_statistics, "measure", measure)
    first = np.asarray(gan.sample(LABELS, SEED, TRUNCATION, standing_passes=4))
    np.testing.assert_array_equal(gan.sample(LABELS, SEED, TRUNCATION, standing_passes=4), first)
    assert measured == [((0.4, 0.5), 4, 64)]
    loaded = image_sources.LoadedGenerator(gan.ema_generator)
    options = SamplingOptions(0.4, standing_passes=4, standing_batch_size=64, seed=SEED, as_served=True)
    before = gan.ema_generator.get_weights()
    options.prepare(loaded, 0.4)
    ((expected, _),) = options.sampler(loaded).batches(3, LABELS)
    gan.ema_generator.set_weights(before)
    assert np.abs(np.asarray(gan.sample(LABELS, SEED, 0.4, standing_passes=4)).astype(int) - expected).max() <= 1
    gan.ema_generator.weights[0].assign(gan.ema_generator.weights[0] + 0.5)
    gan.sample(LABELS, SEED, 0.4, standing_passes=4)
    gan.ema_generator.set_weights(before)
    # The second is that of the options.
    assert [truncations for truncations, *_ in measured] == [(0.4, 0.5), (0.4,), (0.4,)]
