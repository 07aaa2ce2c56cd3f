"""Whatever a run's game and condition are, its export is served: pictures of G and logits of D, each row by itself."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config import to_dict
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training import distribution
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_discriminator, load_generator
from biggan_tf.training.checkpoints.saving import Checkpoints
from serving import signatures as s
from serving.client.generator_client import GeneratorClient
from serving.export.config import ExportConfig
from serving.export.export_run import export_run
from tests.biggan_tf.training.aided_discriminator_test import aided, classifier
from tests.families.any_game_resumes_test import CONDITIONS, GAMES, batches_from, new_gan, of_condition, run_of, stepped
from tests.families.matrix_test import eager_functions
from tests.families.registry import SAMPLING
from tests.serving import embedded

__all__ = ["classifier"]

IMAGES = np.random.default_rng(3).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
LABELS, SEEDS, TRUNCATION = np.array([0, 1, 2]), np.array([5, 6, 7]), 0.5
# conformance_test.py serves what enlarges images, in the one game that it has.
KINDS = [kind for kind in (*GAMES, *CONDITIONS) if run_of(kind).model.kind in SAMPLING]


def train(config, workdir):
    """A checkpoint of two steps, after which all weights have moved."""
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with eager_functions():
        gan = new_gan(config, strategy, 1)
        stepped(gan, distribution.Cluster(strategy), batches_from(0), 2)
    summary = checkpoint_files.CheckpointSummary(2, int(gan.images_seen.numpy()), to_dict(config))
    Checkpoints(str(workdir), config, gan.state()).save(summary)


def assert_is_served(config, folder):
    """Trains, exports and serves a run, and compares what is served with the networks of its checkpoint."""
    train(config, folder / "run")
    export_run(str(folder / "run"), str(folder / "served"), ExportConfig(passes=1, batch_size=4, discriminator=True))
    labels = LABELS if config.model.num_classes else np.zeros(3, int)
    with (
        embedded.running(model_base_path=str(folder / "served")) as (_, address),
        GeneratorClient(address, "small") as client,
    ):
        pictures = client.sample(labels, seeds=SEEDS, truncation=TRUNCATION)
        (alone,) = client.sample(labels[1:2], seeds=SEEDS[1:2], truncation=TRUNCATION)
        rows = {"images": IMAGES, "label": labels.astype(np.int32)}
        logits = client._run(s.DISCRIMINATE, rows, s.LOGITS)
        one = client._run(s.DISCRIMINATE, {name: value[1:2] for name, value in rows.items()}, s.LOGITS)
    np.testing.assert_array_equal(pictures[1], alone)
    np.testing.assert_array_equal(logits[1], one[0])

    generator, _, _ = load_generator(folder / "run")
    drawn = latents.images_of_rows(generator, tf.constant(labels), tf.constant(SEEDS), tf.constant(TRUNCATION))
    assert np.abs(pictures - to_bytes(drawn).numpy().astype(int)).max() <= 1
    discriminator = load_discriminator(folder / "run")
    for row in range(3):  # one by one, as they are served: some discriminators compare the rows of a batch
        batch = (IMAGES[row : row + 1], labels[row : row + 1]) if config.model.num_classes else IMAGES[row : row + 1]
        expected = discriminator(batch, training=False).logits
        np.testing.assert_allclose(logits[row], expected[0], rtol=1e-4, atol=1e-4)
    assert len(np.unique(logits)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_logits_are_those_of_the_trained_networks(kind, tmp_path):
    assert_is_served(run_of(kind), tmp_path)


@pytest.mark.slow
def test_a_run_without_classes_is_served(tmp_path):
    config = of_condition("none")
    config.model.num_classes = 0
    assert_is_served(config, tmp_path)


@pytest.mark.slow
def test_a_discriminator_with_a_classifier_is_served(classifier, tmp_path):
    assert_is_served(aided(classifier), tmp_path)
