"""Hypothesis strategies for Predict requests, right and wrong: as protos, and as JSON bodies."""

import json

import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving import signatures as s
from serving.server.tensor_wire import encode
from tests.serving import echo_model

_NUMBERS = [0, 1, -1, 2, 9, 10, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1, -(2**31)]
_SIZES = st.sampled_from(
    [0, 1, 1, 1, 2, 3, 7, 256, 257, -1, -(2**63), 2**20, 2**31 - 1, 2**31, 6 * 10**9, 2**62, 2**63 - 1]
)
_FIELDS = {
    "float_val": st.floats(width=32) | st.just(float("nan")),
    "double_val": st.floats(),
    "int_val": st.sampled_from(_NUMBERS),
    "string_val": st.binary(max_size=8),
    "int64_val": st.sampled_from([*_NUMBERS, 2**63 - 1, -(2**63)]),
    "bool_val": st.booleans(),
    "half_val": st.sampled_from(_NUMBERS),
    "uint32_val": st.sampled_from([0, 1, 2**32 - 1]),
    "uint64_val": st.sampled_from([0, 1, 2**64 - 1]),
}
_DTYPES = st.sampled_from([kind.as_datatype_enum for kind in echo_model.TYPES]) | st.integers(-3, 140)


@st.composite
def tensor_protos(draw):
    tensor = tensor_pb2.TensorProto(dtype=draw(_DTYPES))
    shape = draw(st.lists(_SIZES, max_size=3) | st.integers(20, 260).map(lambda axes: [1] * axes))
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.unknown_rank = draw(st.integers(0, 20)) == 0
    for name in draw(st.lists(st.sampled_from(sorted(_FIELDS)), max_size=2, unique=True)):
        getattr(tensor, name).extend(draw(st.lists(_FIELDS[name], max_size=4)))
    if draw(st.integers(0, 3)) == 0:
        tensor.tensor_content = draw(st.binary(max_size=24))
    return tensor


@st.composite
def sound_predict_requests(draw):
    """Requests to be answered with OK: an existing signature, and tensors of its types with as many rows each."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "small"
    kind = draw(st.sampled_from(echo_model.TYPES))
    signature = draw(st.sampled_from(["", s.EMBED, f"echo_{kind.name}", f"echo_{kind.name}"]))
    request.model_spec.signature_name = signature
    rows = draw(st.integers(1, 3))
    generate = {
        s.LABEL: np.ones(rows, np.int32),
        s.SEED: np.full(rows, 7, np.int32),
        s.TRUNCATION: np.ones(rows, np.float32),
    }
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    echo = {"x": np.full(shape, b"a", object) if kind == tf.string else np.ones(shape, kind.as_numpy_dtype)}
    inputs = {"": generate, s.EMBED: {s.LABEL: generate[s.LABEL]}}.get(signature, echo)
    for name, values in inputs.items():
        request.inputs[name].MergeFromString(encode(values, draw(st.booleans())))
    return request


@st.composite
def any_predict_requests(draw):
    """Requests of which most name an existing signature and its inputs, with tensors of any kind."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "small"
    kind = draw(st.sampled_from(echo_model.TYPES))
    signature = draw(
        st.sampled_from(["", s.EMBED, f"echo_{kind.name}", f"echo_{kind.name}", "__saved_model_init_op", "?"])
    )
    request.model_spec.signature_name = signature
    names = {"": [s.LABEL, s.SEED, s.TRUNCATION], s.EMBED: [s.LABEL]}.get(signature, ["x"])
    for name in draw(st.sampled_from([names, names, names, [*names, "extra"], []])):
        request.inputs[name].CopyFrom(draw(tensor_protos()))
        if signature.startswith("echo") and draw(st.booleans()):
            request.inputs[name].dtype = kind.as_datatype_enum
        elif signature.startswith("echo") and draw(st.booleans()):
            shape = draw(st.lists(st.integers(0, 3), max_size=3))
            values = np.full(shape, b"a", object) if kind == tf.string else np.ones(shape, kind.as_numpy_dtype)
            request.inputs[name].Clear()
            request.inputs[name].MergeFromString(encode(values, draw(st.booleans())))
    request.output_filter.extend(draw(st.lists(st.sampled_from(["y", "images", "", "no"]), max_size=2)))
    return request


def predict_requests():
    """Requests of which about half are sound."""
    return sound_predict_requests() | any_predict_requests()


_TOKENS = st.sampled_from(
    (
        *("NaN", "Infinity", "-Infinity", "1e400", "-0.0", "9" * 4000, "9" * 5000, "1" + "0" * 400),
        *('"\\ud800"', '"\\udc00x"', '"\\u0000"', '{"b64": "AA=="}', '{"b64": "?"}', '{"b64": 1}', "null", "true"),
        *("[" * 64 + "1" + "]" * 64, "[" * 65 + "1" + "]" * 65, "[" * 900 + "]" * 900, "[" * 100_000),
        *('{"a":' * 900 + "1" + "}" * 900, '{"label": 1, "label": 2}'),
    )
)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(-2, 2) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b64", "label", "x", ""]), inner, max_size=2)
    ),
    max_leaves=6,
)
_VALUES = (
    _TOKENS | _PLAIN.map(json.dumps) | st.sampled_from(["1", "[1]", "0.5", "[0.5]", "[]", "[[]]", "[[1], [1, 2]]"])
)


@st.composite
def json_bodies(draw):
    """Bodies in both formats, with values and tokens of any kind."""
    kind = draw(st.sampled_from(echo_model.TYPES))
    signature = draw(st.sampled_from(["serving_default", s.EMBED, f"echo_{kind.name}", f"echo_{kind.name}"]))
    names = {"serving_default": [s.LABEL, s.SEED, s.TRUNCATION], s.EMBED: [s.LABEL]}.get(signature, ["x"])
    good = {s.LABEL: "1", s.SEED: "7", s.TRUNCATION: "0.5", "x": "1"}
    wrong = draw(st.sampled_from([None, *names]))  # None: a sound body

    def value(name, form):
        return draw(_VALUES) if name == wrong else form.replace("VALUE", good[name])

    if draw(st.booleans()):
        row = ", ".join(f'"{name}": {value(name, "VALUE")}' for name in names)
        inputs = f'"instances": [{", ".join(["{" + row + "}"] * draw(st.integers(0, 2)))}]'
    else:
        columns = ", ".join(f'"{name}": {value(name, "[VALUE]")}' for name in names)
        inputs = '"inputs": {' + columns + "}"
    text = f'{{"signature_name": "{signature}", {inputs}}}'
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40)) + text.encode()[: draw(st.integers(0, 200))]
    if draw(st.integers(0, 19)) == 0:
        return f'{{"signature_name": {draw(_VALUES)}, {inputs}}}'.encode()
    return text.encode()
