"""Both networks of the toy: convolutions between powers of two, and noise that depends on a row's key alone."""

import keras
import tensorflow as tf
from keras import layers, ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts.discriminator import Discriminator, Judgement
from biggan_tf.contracts.generator import Generator
from biggan_tf.layers.kernel_division import KernelDivision
from biggan_tf.layers.norm_slots import built_slot, through
from tests.toy_family.config import ToyConfig


@keras.saving.register_keras_serializable("toy")
class ToyGenerator(Generator):
    """(z, class) -> style -> 4x4 -> twice the size in each level."""

    has_noise = True

    def __init__(self, config, **kwargs):
        config = precision.network_config(ToyConfig, config)
        super().__init__(**{"dtype": config.policy, **kwargs})
        self.config, options = config, {"dtype": config.policy}
        width, levels = config.width, config.resolution.bit_length() - 3
        if config.num_classes:
            self.classes = layers.Embedding(config.num_classes, width, name="classes", **options)
            self.classes.build((None,))
        self.mapping = layers.Dense(2 * width, "tanh", name="mapping", **options)
        self.mapping.build((None, config.z_dim + self.embedding_dim))
        self.first = layers.Dense(16 * width, name="first", **options)
        self.first.build((None, 2 * width))
        self.levels = [layers.Conv2DTranspose(width, 4, 2, "same", name=f"level_{i}", **options) for i in range(levels)]
        self.to_rgb = layers.Conv2D(3, 3, padding="same", name="to_rgb", **options)
        for layer in (*self.levels, self.to_rgb):
            layer.build((None, None, None, width))
        self.strength = self.add_weight(name="noise_strength", shape=(), initializer="ones")
        self.build(self.input_shapes)

    def build(self, input_shape=None):
        self.built = True

    @property
    def embedding_dim(self):
        return self.config.width if self.config.num_classes else 0

    def embed(self, labels):
        return self.classes(ops.convert_to_tensor(labels))

    def styles(self, z, embedding=None, truncation=None, training=False):
        z = ops.cast(self.with_codes(z), self.compute_dtype)
        style = self.mapping(z if embedding is None else ops.concatenate([z, ops.cast(embedding, z.dtype)], 1))
        if truncation is None:
            return (style,)
        return (style * ops.reshape(ops.cast(truncation, style.dtype), (-1, 1)),)

    def synthesise(self, styles, keys=None, training=False):
        x = ops.reshape(self.first(styles[0]), (-1, 4, 4, self.config.width))
        keys = tf.zeros([ops.shape(x)[0], 2], tf.int64) if keys is None else keys
        for number, level in enumerate(self.levels):
            x = level(ops.relu(x))
            shape = tuple(x.shape[1:3])
            noise = tf.map_fn(
                lambda key, shape=shape, number=number: tf.random.stateless_normal(shape, key + number, alg="philox"),
                keys,
                fn_output_signature=tf.TensorSpec(shape, tf.float32),
            )
            x = x + ops.cast(self.strength, x.dtype) * ops.cast(noise[..., None], x.dtype)
        return ops.cast(ops.tanh(self.to_rgb(ops.relu(x))), self.variable_dtype)

    def get_config(self):
        return {"name": self.name, "config": to_dict(self.config)}


@keras.saving.register_keras_serializable("toy")
class ToyDiscriminator(Discriminator):
    """Half the size in each level down to 4x4; the class's embedding times the features is added to the logit.

    A norm slot is behind each convolution. A norm of kernels divides those of the convolutions and the last one.
    """

    def __init__(self, config, **kwargs):
        config = precision.network_config(ToyConfig, config)
        super().__init__(**{"dtype": config.policy, **kwargs})
        self.config, options = config, {"dtype": config.policy}
        width, norm = config.width, config.discriminator_norm
        classes_shape = (None, config.num_classes) if norm.needs_classes else None
        self.levels = [
            layers.Conv2D(width, 4, 2, "same", name=f"level_{i}", **options) for i in range(len(config.sizes))
        ]
        self.slots = []
        for i, (level, size) in enumerate(zip(self.levels, config.sizes, strict=True)):
            level.build((None, None, None, width if i else 3))
            self.slots.append(built_slot(norm, f"norm_{i}", (None, size, size, width), classes_shape, config.policy))
        self.last = layers.Dense(1, name="last", dtype=self.variable_dtype)
        self.last.build((None, 16 * width))
        if config.own_classes:
            self.classes = layers.Embedding(config.num_classes, 16 * width, name="classes", dtype=self.variable_dtype)
            self.classes.build((None,))
        self.build_condition(
            16 * width,
            width,
            lambda units, use_bias, name: layers.Dense(units, use_bias=use_bias, name=name, dtype=self.variable_dtype),
            self.variable_dtype,
        )
        self.divisions = []
        for i, layer in enumerate((*self.levels, self.last) if norm.divides_kernels else ()):
            division = KernelDivision(name=f"division_{i}", dtype=self.variable_dtype)
            division.build(tuple(layer.kernel.shape))
            self.divisions.append(division)
        self.build(self.input_shapes)

    def build(self, input_shape=None):
        self.built = True

    def call(self, inputs, training=False):
        images, labels = self.checked(inputs)
        classes = None
        if self.config.discriminator_norm.needs_classes:
            classes = ops.one_hot(ops.convert_to_tensor(labels), self.config.num_classes)
        x = ops.cast(images, self.compute_dtype)
        for i, (level, slot) in enumerate(zip(self.levels, self.slots, strict=True)):
            x = ops.leaky_relu(through(slot, self._level(i, level, x, training), classes, training))
        features = ops.cast(ops.reshape(x, (-1, 16 * self.config.width)), self.variable_dtype)
        if self.divisions:
            kernel = self.divisions[-1](ops.convert_to_tensor(self.last.kernel), training=training)
            logits = (ops.matmul(features, kernel) + ops.cast(self.last.bias, kernel.dtype))[:, 0]
        else:
            logits = self.last(features)[:, 0]
        if labels is not None and self.config.own_classes:
            logits = logits + ops.mean(self.classes(ops.convert_to_tensor(labels)) * features, axis=1)
        return Judgement(logits, features, self.condition_heads(features, x, labels, training))

    def _level(self, number, level, x, training):
        if not self.divisions:
            return level(x)
        kernel = self.divisions[number](ops.convert_to_tensor(level.kernel), training=training)
        return ops.conv(x, ops.cast(kernel, x.dtype), 2, "same") + ops.cast(level.bias, x.dtype)

    def get_config(self):
        return {"name": self.name, "config": to_dict(self.config)}
