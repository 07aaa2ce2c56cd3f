"""The whole training step of this tree against that of another checkout, taking turns in one run.

    python -m tests.benchmarks.compare_steps CHECKOUT

Each tree trains in a process of its own, which waits while the other one steps: a slow minute of the machine hits both.
A ratio above 1 means that this tree is faster. It is no part of `make bench`, which has no other checkout.
"""

import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 9
SIZES = ((32, 16, 16), (32, 64, 16), (128, 16, 8))  # pixels, ch, batch
POLICIES = ("float32", "mixed_bfloat16")


def _config(pixels, channels, batch, policy):
    from biggan_tf.config import Config

    config = Config()
    try:
        from biggan_tf.families.biggan.config import BigGANConfig
    except ImportError:  # version 0.1
        from biggan_tf.config import ModelConfig as BigGANConfig
    config.model = BigGANConfig(
        resolution=pixels,
        z_dim=120,
        num_classes=100,
        generator_channels=channels,
        discriminator_channels=channels,
        generator_attention=(16,) if pixels == 32 else (64,),
        discriminator_attention=(16,) if pixels == 32 else (64,),
        policy=policy,
    )
    if pixels == 32:
        config.model.z_dim = 128
    config.training.batch_size = batch
    return config


def _worker():
    """Steps when a line comes in, and answers with the seconds that a step took."""
    sys.path.insert(0, os.getcwd())
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from biggan_tf import environment

    environment.prepare()
    import numpy as np
    import tensorflow as tf

    from biggan_tf.training import distribution, gan, step_runner

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        request = json.loads(line)
        if "size" in request:
            config = _config(*request["size"], request["policy"])
            tf.keras.backend.clear_session()
            on = distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
            with on.strategy.scope():
                built = getattr(gan, "GAN", None) or gan.BigGAN
                model = built(config)
            rows, pixels = config.training.batch_size, config.model.resolution
            random = np.random.default_rng(0)
            images = tf.constant(random.uniform(-1, 1, (rows, pixels, pixels, 3)), tf.float32)
            labels = tf.constant(random.integers(0, 100, rows), tf.int32)
            runner = step_runner.StepRunner(on, model, lambda batch=(images, labels): batch)
            runner.run()
            answers.write("0\n")
            continue
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < request["seconds"]:
            runner.run()
            steps += 1
        answers.write(f"{(time.perf_counter() - begin) / steps}\n")


class _Tree:
    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--worker"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(other):
    """Prints a line for each size and precision."""
    trees = {"this": _Tree(os.getcwd()), "other": _Tree(other)}
    for size in SIZES:
        for policy in POLICIES:
            for tree in trees.values():
                tree.ask(size=size, policy=policy)
            rounds = [{name: tree.ask(seconds=1.0) for name, tree in trees.items()} for _ in range(ROUNDS)]
            ratios = [times["other"] / times["this"] for times in rounds]
            shown = f"{statistics.median(ratios):.3f} (rounds {min(ratios):.2f} to {max(ratios):.2f})"
            this = statistics.median(times["this"] for times in rounds)
            print(f"{size[0]} pixels, ch {size[1]}, batch {size[2]}, {policy}: {this * 1e3:.0f} ms, ratio {shown}")  # noqa: T201


if __name__ == "__main__":
    _worker() if "--worker" in sys.argv else main(sys.argv[1])
