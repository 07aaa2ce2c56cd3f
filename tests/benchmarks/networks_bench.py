"""Images per second of the networks' passes and steps, fused against plain, float32 against bfloat16."""

import itertools
import statistics
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.games.config import HingeConfig
from biggan_tf.training import cost
from biggan_tf.training.adam import Adam
from tests.benchmarks import op_profile, precisions

TITLE = (
    "BigGAN's passes and steps, with fused resampling and where it is faster in bfloat16, against plain float32: "
    "images/s; ratio = against plain float32 of the same work; allowed = what counting operations allows for fused / "
    "plain; share = of the machine's matrix-product rate in that dtype"
)
SIZES = ((32, 16, 64), (32, 64, 32), (128, 16, 32), (128, 64, 32))  # pixels, ch, batch
ROUNDS = 3
LONG_S = 30.0  # one round of all variants; what takes longer is timed once
PROFILED = ("G forward", "D forward", "D step", "G step")


def matmul_rate(dtype: str, size: int = 2048, seconds: float = 3.0) -> float:
    """Floating-point operations per second of a large matrix product, the best of several."""
    a = tf.cast(tf.random.normal((size, size)), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    product()
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        product().numpy()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


class Subject:
    """Both networks of a variant and the five things timed on them."""

    def __init__(self, resolution: int, channels: int, batch: int, policy: str, fused: bool):
        chunks = resolution.bit_length() - 2
        self.config = BigGANConfig(
            resolution=resolution,
            num_classes=100,
            z_dim=20 * chunks,
            generator_channels=channels,
            discriminator_channels=channels,
            generator_attention=(64,) if resolution == 128 else (),
            discriminator_attention=(64,) if resolution == 128 else (),
            initializer="normal",
            fused_resampling=fused,
            policy=policy,
        )
        self.generator, self.discriminator = Generator(self.config), Discriminator(self.config)
        self.loss, self.batch = HingeConfig().build(), batch
        self.g_optimizer, self.d_optimizer = Adam(5e-5), Adam(2e-4)
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        random = np.random.default_rng(0)
        self.z = tf.constant(random.standard_normal((batch, self.config.z_dim)), tf.float32)
        self.labels = tf.constant(random.integers(0, 100, batch), tf.int32)
        self.images = tf.constant(random.uniform(-1, 1, (batch, resolution, resolution, 3)), tf.float32)
        self.work = {
            "G forward": tf.function(self._generate),
            "D forward": tf.function(lambda: self.discriminator((self.images, self.labels), training=False).logits),
            "D step": tf.function(self._discriminator_step),
            "G step": tf.function(self._generator_step),
        }
        self.work["step, 2 D"] = tf.function(lambda: self._whole_step(2))
        self.work["step, 4 D"] = tf.function(lambda: self._whole_step(4))

    def _generate(self, training: bool = False):
        return self.generator((self.z, self.generator.embed(self.labels)), training=training)

    def _discriminator_step(self):
        fakes = self._generate(training=True)
        with tf.GradientTape() as tape:
            images = tf.concat([fakes, self.images], 0)
            logits = self.discriminator((images, tf.concat([self.labels, self.labels], 0)), training=True).logits
            loss = self.loss.discriminator(logits[self.batch :], logits[: self.batch])
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _generator_step(self):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in self.generator.trainable_variables])
            loss = self.loss.generator(
                self.discriminator((self._generate(training=True), self.labels), training=True).logits
            )
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _whole_step(self, discriminator_steps: int):
        for _ in range(discriminator_steps):
            loss = self._discriminator_step()
        return loss + self._generator_step()

    def multiply_adds(self) -> dict[str, int]:
        """Per image, for each kind of work."""
        generator, discriminator = cost.network_costs(self.config, self.batch)
        g, d = generator.total_multiply_adds, discriminator.total_multiply_adds
        d_step, g_step = g + 6 * d, 3 * g + 2 * d
        return {
            "G forward": g,
            "D forward": d,
            "D step": d_step,
            "G step": g_step,
            "step, 2 D": 2 * d_step + g_step,
            "step, 4 D": 4 * d_step + g_step,
        }


def _time(function, minimum_s: float = 0.3) -> float:
    """Seconds of one call, over as many calls as fill the time."""
    calls, start = 0, time.perf_counter()
    while True:
        tf.nest.map_structure(lambda t: t.numpy(), function())
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed > minimum_s:
            return elapsed / calls


def measure(sizes=SIZES) -> Iterator[dict]:
    """All sizes and kinds of work; the variants take turns, so that a slow minute hits all of them."""
    dtypes = {policy: cost.model_dtype(BigGANConfig(policy=policy)) for policy in precisions.worth_timing()}
    variants = tuple(itertools.product(dtypes, (False, True)))  # policy, fused
    rates = dict.fromkeys(dtypes, 0.0)
    for resolution, channels, batch in sizes:
        subjects = {variant: Subject(resolution, channels, batch, *variant) for variant in variants}
        counts = {variant: subject.multiply_adds() for variant, subject in subjects.items()}
        # The machine's limit is the best that was seen so far: one slow moment must not set it.
        rates = {policy: max(best, matmul_rate(dtypes[policy])) for policy, best in rates.items()}
        for kind in counts[variants[0]]:
            for subject in subjects.values():
                subject.work[kind]()
            rounds = []
            while len(rounds) < ROUNDS and (not rounds or sum(rounds[0].values()) < LONG_S):
                rounds.append({v: _time(s.work[kind]) for v, s in subjects.items()})
            plain = ("float32", False)
            for policy, fused in variants:
                seconds = statistics.median(times[policy, fused] for times in rounds)
                count = counts[policy, fused][kind]
                gain = statistics.median(times[policy, False] / times[policy, fused] for times in rounds)
                allowed = counts[plain][kind] / count
                # A column of its own where counting operations promises more than was measured.
                short = fused and gain < 0.97 * allowed and kind in PROFILED
                yield {
                    "pixels": resolution,
                    "ch": channels,
                    "work": kind,
                    "dtype": dtypes[policy],
                    "resampling": "fused" if fused else "plain",
                    "images/s": batch / seconds,
                    "ratio": statistics.median(times[plain] / times[policy, fused] for times in rounds),
                    "fused/plain": gain,
                    "allowed": allowed,
                    "share": 2 * count * batch / seconds / rates[policy],
                    "where the time goes": op_profile.summary(subjects[policy, fused].work[kind]) if short else "",
                }
