"""A SavedModel that answers with its input: a signature for each type, whose tensors may have any shape."""

import functools
import os
import tempfile

import tensorflow as tf

from serving import signatures as s
from serving.server.loaded_model import LoadedModel
from tests.serving import small_model

TYPES = (
    tf.float32,
    tf.float64,
    tf.int32,
    tf.int16,
    tf.int8,
    tf.uint8,
    tf.uint16,
    tf.string,
    tf.int64,
    tf.bool,
    tf.float16,
    tf.bfloat16,
    tf.uint32,
    tf.uint64,
)


class EchoModel(small_model.SmallModel):
    """The small model, and a signature `echo_TYPE` from `x` to `y` for each type."""

    def signatures(self):
        def echo(kind):
            function = tf.function(lambda x: {"y": tf.identity(x)}, autograph=False)
            return function.get_concrete_function(x=tf.TensorSpec(None, kind, name="x"))

        return {s.SAMPLE: self.sample, s.EMBED: self.embed, **{f"echo_{kind.name}": echo(kind) for kind in TYPES}}


def write(base):
    model = EchoModel(1)
    path = os.path.join(base, "1")
    tf.saved_model.save(model, path, signatures=model.signatures())
    return path


@functools.cache
def loaded():
    """The model in this process."""
    with tempfile.TemporaryDirectory() as folder:
        return LoadedModel(write(folder), ["serve"], None, None)
