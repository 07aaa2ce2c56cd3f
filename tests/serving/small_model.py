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

    def _busy(self, since, turn):
        """Whether a batch that came at a time must go on waiting before it is drawn."""
        del since, turn
        return tf.constant(False)

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
        since = tf.timestamp()
        turns = tf.while_loop(lambda turn: self._busy(since, turn), lambda turn: [turn + 1], [tf.constant(0, tf.int64)])
        with tf.control_dependencies([check, *turns]):
            images = tf.map_fn(self._row, (label, seed, truncation), fn_output_signature=tf.uint8)
        images = tf.ensure_shape(images, [None, RESOLUTION, RESOLUTION, 3])
        return {s.IMAGES: images, s.IMAGE_BYTES: tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name=s.LABEL)])
    def embed(self, label):
        return {s.EMBEDDING: tf.one_hot(label, 4) * self.version}


class GatedModel(SmallModel):
    """Draws nothing until a file is there: a model that is as slow as a test wants."""

    def __init__(self, version, gate):
        super().__init__(version)
        self.gate = str(gate)

    def _busy(self, since, turn):
        del since
        # The pattern depends on the turn, so that nothing takes the answer for a constant.
        nothing = tf.strings.substr(tf.strings.as_string(turn), 0, 0)
        return tf.size(tf.io.matching_files(tf.strings.join([self.gate, nothing]))) == 0


class SlowModel(SmallModel):
    """Takes the same time for every batch, on any machine."""

    def __init__(self, version, batch_s):
        super().__init__(version)
        self.batch_s = batch_s

    def _busy(self, since, turn):
        del turn
        return tf.timestamp() < since + self.batch_s


def write(base, version, warmup=True, model=None):
    """Stages one version and renames it, as an export does."""
    model, staged = model or SmallModel(version), os.path.join(base, f"staged-{version}")
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
