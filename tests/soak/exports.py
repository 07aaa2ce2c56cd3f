"""Small exports of BigGAN with different weights, and the bytes that each answers to a fixed list of requests."""

import dataclasses
import json
import os
import shutil

import numpy as np
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from serving import signatures as s
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.export.warmup_requests import write_warmup
from serving.server.loaded_model import LoadedModel

NUM_CLASSES, Z_DIM = 6, 8
OUTPUTS = {s.SAMPLE: s.IMAGES, s.SYNTHESIZE: s.IMAGES, s.LATENTS: s.LATENT, s.EMBED: s.EMBEDDING}


@dataclasses.dataclass(frozen=True)
class Request:
    """One of the requests that honest clients send.

    Attributes:
        signature: The signature that is asked.
        inputs: Its inputs.
        output: The output whose values are compared.
    """

    signature: str
    inputs: dict
    output: str


def write(folder, seed):
    """Writes an export with weights of its own; returns its path."""
    config = BigGANConfig(
        resolution=32,
        z_dim=Z_DIM,
        generator_channels=4,
        generator_attention=(),
        num_classes=NUM_CLASSES,
        embedding_dim=4,
    )
    generator = Generator(config)
    draw = np.random.default_rng(seed)
    for weight in generator.weights:
        if weight.trainable:
            weight.assign(weight + draw.normal(0, 0.3, weight.shape))
    folded = fold(generator, moments_of(generator))
    module = ServedGenerator(folded)
    functions = module.functions()
    path = os.path.join(folder, f"weights-{seed}")
    tf.saved_model.save(module, path, signatures=functions)
    # As every export has them: without, each swap's first requests wait for TensorFlow to prepare their graphs.
    warmed_up = [name for name in functions if name not in s.NOT_WARMED_UP]
    write_warmup(path, model_sizes(folded), (1, 2, 4, 8), "biggan", warmed_up)
    for name, content in (
        (s.LABELS_ASSET, [{"synset": f"n{i}", "name": f"class {i}"} for i in range(NUM_CLASSES)]),
        (s.PROVENANCE_ASSET, {"images_seen": seed, s.ROWS: s.EXACT}),
    ):
        with open(os.path.join(path, "assets", name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    return path


def add_version(base, export, number):
    """Puts a copy of an export in place as a version, in one step, as `serving.export` does."""
    staged = os.path.join(base, f"staged-{number}")
    shutil.copytree(export, staged)
    os.rename(staged, os.path.join(base, str(number)))


def requests(count):
    """The requests that are sent, a few of every signature."""
    draw = np.random.default_rng(0)
    made = []
    for i in range(count):
        rows = 1 + i % 4
        labels = draw.integers(0, NUM_CLASSES, rows).astype(np.int32)
        seeds = draw.integers(0, 2**40, rows).astype(np.int64)
        truncation = draw.uniform(0.1, 1.0, rows).astype(np.float32)
        weights = np.eye(NUM_CLASSES, dtype=np.float32)[labels]
        sample = {s.LABEL: labels, s.SEED: seeds, s.TRUNCATION: truncation}
        synthesize = {s.LATENT: draw.normal(size=(rows, Z_DIM)).astype(np.float32), s.CLASS_WEIGHTS: weights}
        made += [
            Request(s.SAMPLE, sample, s.IMAGES),
            Request(s.SAMPLE, sample, s.IMAGE_BYTES),
            Request(s.SYNTHESIZE, {**synthesize, s.TRUNCATION: truncation}, s.IMAGES),
            Request(s.LATENTS, {s.SEED: seeds, s.TRUNCATION: truncation}, s.LATENT),
            Request(s.EMBED, {s.LABEL: labels}, s.EMBEDDING),
        ]
    return made


def answers(export, asked, batching):
    """The bytes of the answer to each request, computed without a server and with no other request in its batch.

    Args:
        export: The path of the export.
        asked: The requests.
        batching: The parameters of the server's batches: TensorFlow optimizes the graph of a batch in another way than
            one that is run by itself, which changes the last bits of floats.
    """
    model = LoadedModel(export, ["serve"], None, batching)
    computed = [as_bytes(model.run(r.signature, r.inputs, (r.output,), None)[0]) for r in asked]
    model.close()
    return computed


def as_bytes(values):
    """The bytes of an array, or of the strings in it."""
    values = np.asarray(values)
    return b"".join(values.reshape(-1).tolist()) if values.dtype == object else values.tobytes()
