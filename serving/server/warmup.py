"""Replays the requests that an export carries, before its version becomes available."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving.server.metrics import Metrics
from serving.server.status import ServingError, invalid_argument
from serving.signatures import WARMUP_FILE

_MAX_RECORDS = 1000


def warm_up(
    path: str, predict: Callable[[predict_pb2.PredictRequest], object], iterations: int, metrics: Metrics
) -> int:
    """Runs every warm-up record of a version.

    The first request of each signature and batch size is slow: TensorFlow plans the graph for it. Clients should not
    meet that.

    Args:
        path: The folder of the version; without a file of warm-up requests in it nothing is done.
        predict: Answers a request, and raises a ServingError where it cannot.
        iterations: How often each record is run; fewer than 1: once.
        metrics: Are told the number of records and the microseconds they took.

    Returns:
        The number of records.

    Raises:
        ServingError: The file is no TFRecord, has too many records, or one of them fails.
    """
    file = os.path.join(path, WARMUP_FILE)
    if not os.path.exists(file):
        return 0
    start = time.perf_counter()
    count = 0
    for request in _read(file):
        count += 1
        if count > _MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {file}")
        for _ in range(max(iterations, 1)):
            predict(request)
        metrics.add("model_warmup_records_read", 1, path)
    metrics.observe("model_warmup_latency", (time.perf_counter() - start) * 1e6, path, "OK")
    return count


def _read(file: str) -> Iterator[predict_pb2.PredictRequest]:
    try:
        for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                raise ServingError(
                    grpc.StatusCode.UNIMPLEMENTED,
                    f"Unsupported log_type for warmup: {log.WhichOneof('log_type')}",
                )
            yield log.predict_log.request
    except (tf.errors.DataLossError, DecodeError) as error:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS,
            f"{error}. Please verify your warmup data is in TFRecord format.",
        ) from error
