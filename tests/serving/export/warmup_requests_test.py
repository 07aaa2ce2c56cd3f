"""The warm-up requests that an export carries."""

import collections

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import signatures as s
from serving.export.warmup_requests import write_warmup

SIZES = {"z_dim": 5, "num_classes": 3, "embedding_dim": 4, "resolution": 8}


def requests(folder):
    for record in tf.data.TFRecordDataset(str(folder / s.WARMUP_FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


def batch_of(request):
    (batch,) = {tensor.tensor_shape.dim[0].size for tensor in request.inputs.values()}
    return batch


def test_every_signature_is_asked_for_each_set_of_outputs_and_batch_size(tmp_path):
    names = (s.SAMPLE, s.SYNTHESIZE, s.LATENTS, s.EMBED)
    count = write_warmup(str(tmp_path), SIZES, (1, 4), "shapes", names)
    found = list(requests(tmp_path))
    assert len(found) == count
    assert {request.model_spec.name for request in found} == {"shapes"}
    asked = collections.defaultdict(set)
    for request in found:
        shapes = {alias: [dim.size for dim in tensor.tensor_shape.dim] for alias, tensor in request.inputs.items()}
        batch, name = batch_of(request), request.model_spec.signature_name
        assert set(shapes) == set(s.inputs_of(name, SIZES))
        asked[name, batch].add(tuple(request.output_filter))
        if name == s.SYNTHESIZE:
            assert (shapes[s.LATENT], shapes[s.CLASS_WEIGHTS]) == ([batch, 5], [batch, 3])
    assert set(asked) == {(name, batch) for name in names for batch in (1, 4)}
    # REST asks for all outputs, TensorFlow Serving's clients for one, and ours for that with `valid`.
    assert asked[s.LATENTS, 1] == {(), (s.LATENT,)}
    both = {(output, s.VALID) for output in s.SIGNATURES[s.SAMPLE].outputs if output != s.VALID}
    assert asked[s.SAMPLE, 4] == {(), *((output,) for output, _ in both), *(both if len(both) > 1 else ())}
