"""Images per second of `biggan_tf/data`: TFRecords to shuffled, flipped, scaled batches."""

import contextlib
import io
import statistics
import tempfile
import time

from biggan_tf import config as config_lib
from biggan_tf.data import batch_iterator

TITLE = "Input: images/s from TFRecords to float32 batches, shuffled and flipped; ratio = against png of the same size"
RESOLUTIONS = (32, 128)
FORMATS = ("png", "webp", "raw")
NUM_IMAGES = 2000
BATCH = 64
SECONDS = 4.0
ROUNDS = 3


def measure() -> list[dict]:
    from tests.pipeline import running

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for image_format in FORMATS:
            with contextlib.redirect_stdout(io.StringIO()):
                running.shapes(
                    f"{folder}/{image_format}", NUM_IMAGES, resolutions=RESOLUTIONS, image_format=image_format
                )
        for resolution in RESOLUTIONS:
            rates: dict[str, list[float]] = {image_format: [] for image_format in FORMATS}
            for _ in range(ROUNDS):
                for image_format, values in rates.items():
                    values.append(_rate(f"{folder}/{image_format}/{resolution}", resolution))
            for image_format, values in rates.items():
                rows.append(
                    {
                        "resolution": resolution,
                        "format": image_format,
                        "images_per_s": statistics.median(values),
                        "ratio": statistics.median(values) / statistics.median(rates["png"]),
                        "rounds": " ".join(f"{value:.0f}" for value in values),
                    }
                )
    return rows


def _rate(path: str, resolution: int) -> float:
    config = config_lib.Config()
    config.model.resolution, config.model.num_classes = resolution, 10
    config.data.path, config.data.shuffle_buffer = path, 1000
    config.training.batch_size = BATCH
    batches = batch_iterator.BatchIterator(config.data, BATCH)
    for _ in range(40):  # fill the buffers, let autotuning settle
        next(batches)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        next(batches)
        count += BATCH
    return count / (time.perf_counter() - start)
