"""A tiny export: every row has the same bits in every batch, out of the SavedModel and through the server.

Runs under qemu too. What this process starts is not emulated there, so all that is compared is computed here; only the
export's own check of itself runs in another process, on the processor at hand.
"""

import os

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.inference.batch_norm_moments import moments_of
from serving import signatures as s
from serving.client import GeneratorClient
from serving.export.export_generator import export_generator
from tests.serving.embedded import running

ROWS, CLASSES, Z_DIM = 8, 3, 16
LABELS = [{"synset": f"n{i:08d}", "name": f"thing {i}"} for i in range(CLASSES)]

# `make test-processors` runs it in each of its settings; slow keeps it out of `make test`.
pytestmark = [pytest.mark.processor, pytest.mark.emulated, pytest.mark.slow]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    config = BigGANConfig(
        resolution=32,
        generator_channels=4,
        generator_attention=(16,),
        num_classes=CLASSES,
        z_dim=Z_DIM,
        embedding_dim=8,
    )
    generator = Generator(config)
    rng = np.random.default_rng(3)
    for weight in generator.weights:
        # Every weight takes part: gamma of the attention starts at zero.
        if weight.trainable:
            weight.assign(weight + rng.normal(0, 0.05, weight.shape))
    folder = str(tmp_path_factory.mktemp("served_rows") / "base")
    export_generator(generator, moments_of(generator), folder, LABELS, {}, batch_sizes=(1,))
    return folder


def assert_rows_depend_on_nothing_else(synthesize):
    """Of eight rows, the first and the last few in batches of 1, 2, 3 and 7, against all eight, to the bit."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 0.5, (ROWS, Z_DIM)).astype(np.float32)
    mixtures = np.eye(CLASSES, dtype=np.float32)[np.arange(ROWS) % CLASSES]
    truncation = rng.uniform(0.05, 1, ROWS).astype(np.float32)
    whole = synthesize(z, mixtures, truncation)
    assert whole.shape == (ROWS, 32, 32, 3)
    assert whole.std(axis=0).max() > 0.01, "the rows must differ from one another for this test to say anything"
    differing = {}
    for size in (1, 2, 3, ROWS - 1):
        for rows in (slice(0, size), slice(ROWS - size, ROWS)):
            part = synthesize(z[rows], mixtures[rows], truncation[rows])
            if not np.array_equal(part, whole[rows]):
                differing[rows.start, rows.stop] = float(np.abs(part - whole[rows]).max())
    assert differing == {}, "rows whose bits differ from those in the batch of eight, by how much"


def test_rows_of_the_saved_model_are_the_same_in_every_batch(base):
    model = tf.saved_model.load(os.path.join(base, "1"))

    def synthesize(z, mixtures, truncation):
        inputs = {s.LATENT: z, s.CLASS_WEIGHTS: mixtures, s.TRUNCATION: truncation}
        return model.signatures[s.SYNTHESIZE](**{k: tf.constant(v) for k, v in inputs.items()})[s.IMAGES].numpy()

    assert_rows_depend_on_nothing_else(synthesize)


def test_rows_through_the_server_are_the_same_in_every_batch(base):
    with running(model_base_path=base, model_name=s.MODEL_NAME) as (_, target), GeneratorClient(target) as client:
        assert_rows_depend_on_nothing_else(client.synthesize)
        pictures = client.sample_png([0, 1, 2], [5, 6, 7])
        assert client.sample_png([1], [6]) == pictures[1:2]
