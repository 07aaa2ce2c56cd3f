"""Writes the warm-up requests of an export, which a server answers to itself before it makes the version available."""

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
    """Writes a request for every signature, set of outputs and batch size.

    The sets are all outputs, which REST asks for; one output alone; and one with `valid`, which our client asks for.

    Args:
        directory: The folder of the version.
        sizes: The sizes of the model by the names that the signatures' shapes use, e.g. {"z_dim": 120, ...}.
        batch_sizes: The batch sizes that clients, or the server's batching, will mostly ask for.
        model_name: The name that the model will be served under.
        names: The signatures to ask for.

    Returns:
        The number of requests.
    """
    path = os.path.join(directory, s.WARMUP_FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(path) as writer:
        for name, batch in itertools.product(names, batch_sizes):
            outputs = [output for output in s.SIGNATURES[name].outputs if output != s.VALID]
            pairs = [(output, s.VALID) for output in outputs] if len(outputs) > 1 else []
            for filters in [(), *((output,) for output in outputs), *pairs]:
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(sample_request(name, sizes, batch, filters, model_name))
                writer.write(log.SerializeToString())
                count += 1
    return count


def sample_request(
    name: str, sizes: dict[str, int], batch: int, filters: Sequence[str], model_name: str
) -> predict_pb2.PredictRequest:
    """A request that the signature `name` answers; the arguments are those of `write_warmup`, for one request.

    Args:
        name: The signature.
        sizes: The sizes of the model.
        batch: Number of rows.
        filters: The outputs to ask for; (): all.
        model_name: The name that the model will be served under.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model_name, name
    request.output_filter.extend(filters)
    for alias, spec in s.inputs_of(name, sizes).items():
        shape = [batch, *(size or 1 for size in s.resolve_shape(spec, sizes)[1:])]
        value = np.zeros(shape, spec.dtype)
        if alias == s.TRUNCATION:
            value += 0.5
        elif alias == s.CUTOFF:
            value += s.ALL_LAYERS
        elif alias == s.SEED:
            value += np.arange(batch)
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request
