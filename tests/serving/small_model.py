"""A SavedModel with the generator's signatures that draws real, deterministic pictures in milliseconds."""

import os

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import signatures as s

RESOLUTION = 16
NUM_CLASSES = 10


class SmallModel(tf.Module):
    def __init__(self, version):
        super().__init__()
        self.version = tf.Variable(float(version))

    def _row(self, row):
        label, seed, truncation = row
        noise = tf.random.stateless_normal([RESOLUTION, RESOLUTION, 3], tf.stack([seed, tf.cast(label, tf.int64)]))
        return tf.cast(tf.clip_by_value(127.5 + 60.0 * noise * truncation, 0, 255), tf.uint8)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, name=s.LABEL),
            tf.TensorSpec([None], tf.int64, name=s.SEED),
            tf.TensorSpec([None], tf.float32, name=s.TRUNCATION),
        ]
    )
    def sample(self, label, seed, truncation):
        check = tf.debugging.Assert(tf.reduce_all((label >= 0) & (label < NUM_CLASSES)), ["label must be in [0, 10)"])
        with tf.control_dependencies([check]):
            images = tf.map_fn(self._row, (label, seed, truncation), fn_output_signature=tf.uint8)
        images = tf.ensure_shape(images, [None, RESOLUTION, RESOLUTION, 3])
        return {s.IMAGES: images, s.IMAGE_BYTES: tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name=s.LABEL)])
    def embed(self, label):
        return {s.EMBEDDING: tf.one_hot(label, 4) * self.version}


def write(base, version, warmup=True):
    """Stages one version and renames it, as an export does."""
    model, staged = SmallModel(version), os.path.join(base, f"staged-{version}")
    tf.saved_model.save(model, staged, signatures={s.SAMPLE: model.sample, s.EMBED: model.embed})
    if warmup:
        path = os.path.join(staged, s.WARMUP_FILE)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tf.io.TFRecordWriter(path) as writer:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.inputs[s.LABEL].CopyFrom(tf.make_tensor_proto([1], tf.int32))
            request.inputs[s.SEED].CopyFrom(tf.make_tensor_proto([1], tf.int64))
            request.inputs[s.TRUNCATION].CopyFrom(tf.make_tensor_proto([0.5], tf.float32))
            writer.write(log.SerializeToString())
    os.rename(staged, os.path.join(base, str(version)))
    return os.path.join(base, str(version))
