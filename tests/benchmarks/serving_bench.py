"""The export against the generator it came from, and the server against calling its signature in process."""

import contextlib
import functools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import grpc
import numpy as np
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from serving import signatures as s
from serving.client import GeneratorClient
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.export.warmup_requests import write_warmup
from serving.server.loaded_model import LoadedModel

TITLE = "Serving: export and server, as ratios of the same run"
MODELS = ((32, 16), (32, 64), (128, 16), (128, 64))
SECONDS, IMAGES = 5.0, 500  # Clients load a server for as long as both ask: a slow model's first batch is not full.
ROUNDS = 5
BATCHING = "max_batch_size { value: 8 } max_enqueued_batches { value: 32 } num_batch_threads { value: 2 }"


def measure() -> Iterator[dict]:
    for resolution, channels in MODELS:
        with tempfile.TemporaryDirectory() as base:
            config = BigGANConfig(resolution=resolution, generator_channels=channels)
            yield from _measure_model(config, f"{resolution} px, ch {channels}", base)


def _measure_model(config, name, base) -> Iterator[dict]:
    generator = Generator(config)
    folded = fold(generator, moments_of(generator))
    module = ServedGenerator(folded)
    path = os.path.join(base, "1")
    tf.saved_model.save(module, path, signatures=module.functions())
    write_warmup(path, model_sizes(generator), (1, 8), s.MODEL_NAME)
    yield from _export_speeds(config, generator, module, name)
    model = LoadedModel(path, ["serve"], None, None)
    rates = {batch: _rate(lambda batch=batch: _run(model, batch), batch) for batch in (1, 4, 8)}
    with _server(base) as target:
        yield _latency(model, target, name)
    model.close()
    with _server(base, batching=True) as target:
        for batch in (1, 8):
            yield _saturated(target, batch, max(rates.values()), name)


def _export_speeds(config, generator, module, name) -> Iterator[dict]:
    """Unfolded generator in a graph against the export's, both from latents to images."""
    unfused = BigGANConfig(**{**vars(config), "fused_resampling": False})
    plain = Generator(unfused)
    plain.set_weights(generator.get_weights())
    eager_graph = tf.function(lambda z, y: plain((z, y), training=False), autograph=False)
    exported = module.functions()[s.SYNTHESIZE]
    for batch in (1, 8):
        z, y = tf.random.stateless_normal([batch, config.z_dim], [1, 2]), generator.embed(np.arange(batch))
        weights = tf.one_hot(tf.range(batch), config.num_classes)
        calls = {
            "before": functools.partial(eager_graph, z, y),
            "after": lambda z=z, weights=weights: exported(z=z, y=weights, truncation=tf.ones([len(z)]))[s.IMAGES],
        }
        # The two take turns, so that a slow moment of the machine hits both.
        rounds = [
            {key: _rate(lambda call=call: np.asarray(call()), batch) for key, call in calls.items()}
            for _ in range(ROUNDS)
        ]
        before, after = (statistics.median(rates[key] for rates in rounds) for key in calls)
        yield {
            "model": name,
            "what": f"export against unfolded graph, batch {batch}",
            "in process": f"{before:.1f} img/s",
            "served": f"{after:.1f} img/s",
            "ratio": statistics.median(rates["after"] / rates["before"] for rates in rounds),
        }


def _latency(model, target, name) -> dict:
    """One row at a time, in process and served; the two take turns."""
    with GeneratorClient(target) as client:
        client.sample_png([0])
        rounds = [
            (_median_ms(lambda: _run(model, 1)), _median_ms(lambda: client.sample_png([0]))) for _ in range(ROUNDS)
        ]
    in_process, served = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {
        "model": name,
        "what": "latency of one row, no batching",
        "in process": f"{in_process:.2f} ms",
        "served": f"{served:.2f} ms",
        "added": f"{statistics.median(served - own for own, served in rounds):.2f} ms",
    }


def _saturated(target, batch, best, name) -> dict:
    seconds = max(SECONDS, IMAGES / best)
    command = [sys.executable, "-m", "tests.benchmarks.load_clients", target, str(batch), str(seconds)]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    cores = os.cpu_count() or 1
    raw = result["images"] / result["wall_s"]
    # What the clients burn is not the server's: set it apart from the processor time there was.
    own = result["images"] / (result["wall_s"] - result["cpu_s"] / cores)
    return {
        "model": name,
        "what": f"16 clients, {batch} row{'s' * (batch > 1)} a request",
        "in process": f"{best:.1f} img/s",
        "served": f"{raw:.1f} img/s",
        "clients' CPU": f"{result['cpu_s'] / result['wall_s'] / cores:.0%}",
        "ratio raw": raw / best,
        "ratio": own / best,
    }


def _run(model, batch):
    inputs = {
        s.LABEL: np.zeros(batch, np.int32),
        s.SEED: np.arange(batch),
        s.TRUNCATION: np.full(batch, 0.5, np.float32),
    }
    return model.run(s.SAMPLE, inputs, (s.IMAGE_BYTES,), None)


def _rate(call, images, seconds=1.5) -> float:
    call()
    call()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        count += 1
    return count * images / (time.perf_counter() - start)


def _median_ms(call, times=30) -> float:
    call()
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return 1e3 * statistics.median(durations)


@contextlib.contextmanager
def _server(base, batching=False):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = os.path.join(base, "batching")
    with open(file, "w") as out:
        out.write(BATCHING)
    flags = [f"--port={port}", f"--model_name={s.MODEL_NAME}", f"--model_base_path={base}"]
    if batching:
        flags += ["--enable_batching", f"--batching_parameters_file={file}"]
    with subprocess.Popen([sys.executable, "-m", "serving.server", *flags], stderr=subprocess.DEVNULL) as process:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=180)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)
