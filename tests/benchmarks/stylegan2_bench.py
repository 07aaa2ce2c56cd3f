"""StyleGAN2's passes and phases against NVIDIA's own PyTorch code with its reference operations, on the CPU.

    NVIDIA_STYLEGAN=FOLDER TORCH_PYTHON=PYTHON python -m tests.benchmarks.run stylegan2

FOLDER is a checkout of github.com/NVlabs/stylegan3, PYTHON an interpreter that has PyTorch. Without them our own speed
is measured alone. Each code runs in a process of its own and waits while the other one works: a slow minute of the
machine hits both. A ratio above 1 means that ours is faster.
"""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config import Config
from biggan_tf.contracts.game import Batch
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import StyleGAN2GameConfig
from biggan_tf.training.gan import GAN
from tests.benchmarks import op_profile, torch_stylegan2

TITLE = (
    "StyleGAN2, config F in float32, against NVIDIA's PyTorch code with its reference operations: images/s; ratio = "
    "their time / ours, the median of rounds that take turns; cpu ratio = the same of the seconds that all cores spent "
    "on either, which other work on the machine changes less; load = the machine's while they ran"
)
SIZES = ((32, 32768, 8), (256, 16384, 4))  # pixels, channel base, batch
ROUNDS = 3
SECONDS = 1.0  # of a measurement, at least; one call where a call takes longer
# How often a phase comes in 16 steps of training.
IN_16_STEPS = {"G step": 16, "path length step": 4, "D step": 16, "R1 step": 1}


class Subject:
    """Both networks, and what is timed on them: the generator's forward pass, and each phase with its update."""

    def __init__(self, pixels: int, channel_base: int, batch: int):
        tf.keras.backend.clear_session()
        config = Config(name="bench")
        config.model = StyleGAN2Config(resolution=pixels, channel_base=channel_base, policy="float32")
        config.game = StyleGAN2GameConfig(r1_gamma=10.0)
        config.training.batch_size = batch
        for optimizer in (config.training.generator, config.training.discriminator):
            optimizer.learning_rate, optimizer.beta_2 = 2e-3, 0.99
        self.gan, self.batch = GAN(config), batch
        random = np.random.default_rng(0)
        self.z = tf.constant(random.standard_normal((batch, 512)), tf.float32)
        images = tf.constant(random.uniform(-1, 1, (batch, pixels, pixels, 3)), tf.float32)
        self.real = Batch(images, tf.zeros([batch], tf.int32))
        self.calls = tf.Variable(0, dtype=tf.int64)
        names = ("G step", "path length step", "D step", "R1 step")
        phases = dict(zip(names, self.gan.phases, strict=True))
        self.work = {"G forward": tf.function(self._forward)}
        self.work |= {name: tf.function(self._phase(phase)) for name, phase in phases.items()}

    def _forward(self):
        # New noise for each call, as in theirs.
        key = latents.derive_key(tf.constant([0, 0], tf.int64), self.calls.assign_add(1))
        return self.gan.generator(self.z, keys=latents.row_keys(key, self.batch))

    def _phase(self, phase):
        def run():
            real = self.real if phase.reads_data else None
            part = self.gan.gradients(phase, real, self.batch, self.calls.assign_add(1))
            return self.gan.update(phase, [part])

        return run

    def parameters(self) -> list[int]:
        networks = (self.gan.generator, self.gan.discriminator)
        return [sum(int(np.prod(v.shape)) for v in network.trainable_variables) for network in networks]

    def seconds(self, work: str) -> list[float]:
        """Seconds of one call: of the clock, and of all cores together."""
        calls, begin, used = 0, time.perf_counter(), time.process_time()
        while not calls or time.perf_counter() - begin < SECONDS:
            tf.nest.map_structure(lambda t: t.numpy(), self.work[work]())
            calls += 1
        return [(time.perf_counter() - begin) / calls, (time.process_time() - used) / calls]


class Theirs:
    """The process in which NVIDIA's code runs."""

    def __init__(self, folder: str, python: str):
        self._process = subprocess.Popen(
            [python, os.path.abspath(torch_stylegan2.__file__)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )

    @classmethod
    def from_environment(cls) -> "Theirs | None":
        folder, python = os.environ.get("NVIDIA_STYLEGAN"), os.environ.get("TORCH_PYTHON")
        return cls(folder, python) if folder and python else None

    def ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The process with PyTorch ended; its message is above.")
        return json.loads(answer)


def measure(sizes=SIZES) -> Iterator[dict]:
    """A row for each size and kind of work, and one for the mean step of a training."""
    theirs = Theirs.from_environment()
    for size in sizes:
        ours = Subject(*size)
        if theirs is not None:
            counted = theirs.ask(size=size)["parameters"]
            if counted != ours.parameters():
                raise RuntimeError(f"Both must build the same networks. Received: {ours.parameters()} and {counted}.")
        rounds = {}
        for work in ours.work:
            rounds[work] = _rounds(ours, theirs, work)
            yield {**_row(size, work, rounds[work]), **_profiles(ours, theirs, work)}
        mean_step = [
            {
                code: sum(count * np.array(rounds[work][number][code]) for work, count in IN_16_STEPS.items()) / 16
                for code in rounds["G step"][number]
            }
            for number in range(ROUNDS)
        ]
        yield _row(size, "mean training step", mean_step)


def _rounds(ours: Subject, theirs: Theirs | None, work: str) -> list[dict[str, list[float]]]:
    ours.work[work]()  # traces
    if theirs is not None:
        theirs.ask(work=work, seconds=0.0)
    found = []
    for _ in range(ROUNDS):
        times = {"ours": ours.seconds(work)}
        if theirs is not None:
            times["theirs"] = theirs.ask(work=work, seconds=SECONDS)
        found.append(times)
    return found


def _row(size, work, rounds) -> dict:
    def rate(code):
        return float(size[2] / statistics.median(times[code][0] for times in rounds))

    row = {"pixels": size[0], "batch": size[2], "work": work, "images/s": rate("ours")}
    if "theirs" in rounds[0]:
        ratios, cpu_ratios = ([times["theirs"][which] / times["ours"][which] for times in rounds] for which in (0, 1))
        row |= {
            "theirs": rate("theirs"),
            "ratio": float(statistics.median(ratios)),
            "rounds": f"{min(ratios):.2f} to {max(ratios):.2f}",
            "cpu ratio": float(statistics.median(cpu_ratios)),
        }
    return {**row, "load": os.getloadavg()[0]}


def _profiles(ours: Subject, theirs: Theirs | None, work: str) -> dict[str, str]:
    found = {"where our time goes": op_profile.summary(ours.work[work], others=6)}
    if theirs is not None:
        shares = theirs.ask(profile=work)
        found["where theirs goes"] = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:6])
    return found
