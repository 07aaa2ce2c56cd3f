"""An export of a run keeps to what the run was trained with: its prior."""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.inference import standing_statistics
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training.checkpoints.loading import load_generator
from serving import signatures as s
from serving.export import export_generator as module
from serving.export.config import ExportConfig
from serving.export.export_run import export_preset, export_run
from serving.server.loaded_model import LoadedModel
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.training import tiny
from tests.serving.export import saved_run

TRUNCATIONS = (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uniform")
    config = tiny.config()
    config.model.prior = "uniform"
    saved_run.save(folder, config)
    return str(folder)


@pytest.fixture(scope="module")
def exported(workdir):
    """The version folder of an export of the run, and the moments that its batch norms were given."""
    kept = {}

    def export_generator(generator, moments, *arguments, **options):
        kept["moments"] = moments
        return module.export_generator(generator, moments, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        # What was written is loaded here; a server in another process would take half a minute.
        patch.setattr(module, "validate", lambda *unused: None)
        patch.setattr("serving.export.export_run.export_generator", export_generator)
        path = export_run(workdir, f"{workdir}/exports", ExportConfig(truncations=TRUNCATIONS, passes=2, batch_size=8))
    return path, kept["moments"]


@pytest.fixture(scope="module")
def served(exported):
    model = LoadedModel(exported[0], ["serve"], None, None)
    yield model
    model.close()


def test_an_export_of_a_uniform_run_serves_uniform_latents(served):
    seeds = np.arange(500)
    for truncation in (1.0, 0.25):
        rows = {s.SEED: seeds, s.TRUNCATION: np.full(500, truncation, np.float32)}
        (z,) = served.run(s.LATENTS, rows, (s.LATENT,), None)
        assert np.abs(z).max() <= truncation
        assert abs(z.var() / truncation**2 - 1 / 3) < 0.02
        assert scipy.stats.kstest(z.reshape(-1) / truncation, scipy.stats.uniform(-1, 2).cdf).pvalue > 0.01
        for row in range(3):
            expected = truncation * latents.prior("uniform")(tf.constant([row, 0], tf.int64), [8]).numpy()
            np.testing.assert_array_equal(z[row], expected)


def test_a_sample_is_the_synthesis_of_the_latents_of_its_seed(served):
    label, seed = np.array([2, 0, 1], np.int32), np.array([5, 6, 2**40])
    truncation = np.array([1.0, 0.5, 0.25], np.float32)
    (sample,) = served.run(s.SAMPLE, {s.LABEL: label, s.SEED: seed, s.TRUNCATION: truncation}, (s.IMAGES,), None)
    (z,) = served.run(s.LATENTS, {s.SEED: seed, s.TRUNCATION: truncation}, (s.LATENT,), None)
    rows = {s.LATENT: z, s.CLASS_WEIGHTS: np.eye(3, dtype=np.float32)[label], s.TRUNCATION: truncation}
    (images,) = served.run(s.SYNTHESIZE, rows, (s.IMAGES,), None)
    np.testing.assert_array_equal(sample, to_bytes(images))


def test_standing_statistics_of_an_export_are_measured_with_the_prior_of_its_run(workdir, exported):
    path, moments = exported
    provenance = json.loads(Path(path, "assets", s.PROVENANCE_ASSET).read_text())
    exported_at = datetime.datetime.fromisoformat(provenance["exported"])
    assert exported_at.utcoffset() == datetime.timedelta(0)
    assert datetime.timedelta(0) <= datetime.datetime.now(datetime.UTC) - exported_at < datetime.timedelta(hours=4)
    assert provenance["standing_statistics"] == {
        "truncations": list(TRUNCATIONS),
        "method": "scaling",
        "passes": 2,
        "batch_size": 8,
    }
    generator, _, _ = load_generator(workdir)
    for prior, is_equal in (("uniform", True), ("normal", False)):
        statistics = standing_statistics.measure(
            generator, TRUNCATIONS, method="scaling", prior=prior, num_passes=2, batch_size=8
        )
        expected = moments_of(statistics.grid_generator(generator))
        pairs = [(a, b) for path in moments for a, b in zip(moments[path], expected[path], strict=True)]
        assert all(np.array_equal(a, b) for a, b in pairs) == is_equal


def test_a_preset_is_exported_with_its_classes_and_where_it_comes_from(tmp_path, monkeypatch):
    saved_preset.save(tmp_path / "tiny", with_discriminator=False)
    monkeypatch.setattr(module, "validate", lambda *unused: None)
    settings = ExportConfig(truncations=(0.0, 1.0), passes=1, batch_size=8)
    path = Path(export_preset(str(tmp_path / "tiny"), str(tmp_path / "exports"), settings))
    labels = json.loads((path / "assets" / "labels.json").read_text())
    assert [label["name"] for label in labels] == list(saved_preset.NAMES)
    provenance = json.loads((path / "assets" / "provenance.json").read_text())
    assert (provenance["preset"], provenance["step"], provenance["metrics"]) == ("tiny", 3, {"fid": 12.5})
    with pytest.raises(ValueError, match="needs a preset with a discriminator"):
        export_preset(str(tmp_path / "tiny"), str(tmp_path / "exports"), ExportConfig(discriminator=True))
