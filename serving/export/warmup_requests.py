"""Writes the requests that a server replays before it makes a version available."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving import signatures as s


def write_warmup(
    directory: str,
    sizes: dict[str, int],
    batch_sizes: Sequence[int],
    model_name: str,
    names: Sequence[str] = (s.SAMPLE, s.SYNTHESIZE, s.EMBED),
) -> int:
    """Writes one request for every signature that programs ask, output set and batch size.

    Args:
        directory: The version directory.
        sizes: What the names in the signatures' shapes stand for.
        batch_sizes: Batch sizes that a server may form.
        model_name: Goes into the requests.
        names: The signatures that are there.

    Returns:
        The number of requests.
    """
    path = os.path.join(directory, s.WARMUP_FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(path) as writer:
        for name, batch in itertools.product(names, batch_sizes):
            outputs = tuple(s.SIGNATURES[name].outputs)
            for filters in [(), *([(o,) for o in outputs] if len(outputs) > 1 else [])]:
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(sample_request(name, sizes, batch, filters, model_name))
                writer.write(log.SerializeToString())
                count += 1
    return count


def sample_request(
    name: str, sizes: dict[str, int], batch: int, filters: Sequence[str], model_name: str
) -> predict_pb2.PredictRequest:
    """Returns a valid request for a signature."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model_name, name
    request.output_filter.extend(filters)
    for alias, spec in s.inputs_of(name, sizes).items():
        shape = [batch, *(size or 1 for size in s.resolve_shape(spec, sizes)[1:])]
        value = np.zeros(shape, spec.dtype)
        if alias == s.TRUNCATION:
            value += 0.5
        elif alias == s.SEED:
            value += np.arange(batch)
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request
