"""What it costs to compute each row of an export by itself, against fast rows and the plain batched graph."""

import itertools
import statistics
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from serving import signatures as s
from serving.export.served_generator import ServedGenerator

TITLE = "Export: exact rows, as ratios of speeds in the same run"
RESOLUTIONS, CHANNELS, ROWS = (32, 128, 256), (16, 64, 96), (1, 4, 8, 32)
SECONDS, FEWEST_ROUNDS, LONGEST_CALL_S = 3.0, 5, 5.0


def measure() -> Iterator[dict]:
    for resolution, channels in itertools.product(RESOLUTIONS, CHANNELS):
        yield from _measure_model(resolution, channels)


def _measure_model(resolution: int, channels: int) -> Iterator[dict]:
    model = BigGANConfig(resolution=resolution, generator_channels=channels, initializer="normal", num_classes=1000)
    model.z_dim = 120 if resolution != 256 else 140
    model.generator_attention = () if resolution == 32 else (64,)
    generator = Generator(model)
    specs = {s.LATENT: [None, model.z_dim], s.CLASS_WEIGHTS: [None, 1000], s.TRUNCATION: [None]}
    specs = {alias: tf.TensorSpec(shape, name=alias) for alias, shape in specs.items()}

    def plain(z, y, truncation):
        del truncation
        embedding = tf.matmul(y, tf.convert_to_tensor(generator.class_embedding.kernel))
        return {s.IMAGES: generator((z, embedding), training=False)}

    calls = {"plain": tf.function(plain, autograph=False).get_concrete_function(**specs)}
    for rows in (s.EXACT, s.FAST):
        calls[rows] = ServedGenerator(fold(generator, moments_of(generator), rows=rows)).functions()[s.SYNTHESIZE]
    for count in ROWS:
        rng = np.random.default_rng(count)
        inputs = {
            s.LATENT: tf.constant(rng.standard_normal((count, model.z_dim)), tf.float32),
            s.CLASS_WEIGHTS: tf.one_hot(rng.integers(0, 1000, count), 1000),
            s.TRUNCATION: tf.ones([count]),
        }
        rounds = list(_rounds(calls, inputs))
        if not rounds:
            return
        yield {
            "model": f"{resolution} px, ch {channels}",
            "rows": count,
            "exact": f"{statistics.median(times[s.EXACT] for times in rounds) * 1e3:.1f} ms",
            "exact / fast": statistics.median(times[s.FAST] / times[s.EXACT] for times in rounds),
            "exact / plain": statistics.median(times["plain"] / times[s.EXACT] for times in rounds),
        }


def _rounds(calls, inputs) -> Iterator[dict[str, float]]:
    """Seconds of one call of each, taking turns, so that a slow moment of the machine hits all of them."""
    for call in calls.values():
        begin = time.perf_counter()
        call(**inputs)
        if time.perf_counter() - begin > LONGEST_CALL_S:
            return
    end = time.perf_counter() + SECONDS
    number = 0
    while number < FEWEST_ROUNDS or time.perf_counter() < end:
        times = {}
        for name, call in calls.items():
            begin = time.perf_counter()
            call(**inputs)[s.IMAGES].numpy()
            times[name] = time.perf_counter() - begin
        yield times
        number += 1
