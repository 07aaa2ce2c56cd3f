"""The generator's layers: the Fourier features and the layer of figure 4 (b) of arXiv:2106.12423."""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.families.stylegan3.tables import LayerPlan
from biggan_tf.layers.equalised import EqualisedDense
from biggan_tf.ops.filtered_activation import filtered_activation
from biggan_tf.ops.normalised_modulation import normalised_modulated_convolution
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import DType, InputShape, Shape, Tensor


class RandomFrequencies(keras.initializers.Initializer):
    """Frequencies in two dimensions that lie within a circle, all equally likely: v / (|v| e^(|v|^2 / 4)) radius.

    Args:
        radius: The radius of the circle, the cutoff of the signal.
    """

    def __init__(self, radius: float):
        self.radius = radius
        self._normal = keras.initializers.RandomNormal(0.0, 1.0)

    def __call__(self, shape: Shape, dtype: DType | None = None) -> Tensor:
        v = self._normal(shape, dtype)
        squares = ops.sum(ops.square(v), axis=1, keepdims=True)
        return v * ops.rsqrt(squares) * ops.exp(squares * -0.25) * self.radius

    def get_config(self) -> dict[str, Any]:
        return {"radius": self.radius}


@keras.saving.register_keras_serializable("biggan_tf")
class FourierFeatures(keras.layers.Layer):
    """Waves over the plane, which a style turns and moves as a whole, mixed by a matrix.

    Args:
        channels: The number of waves and of output channels.
        size: The height and width of the result, margins included.
        rate: Pixels across the image, without the margins.
        cutoff: The highest frequency of the waves, in periods across the image.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Attributes:
        transform: A further transformation of the plane, [3, 3], the identity at first. It takes the place (x, y, 1)
            of the result to the place where the waves are read, with x to the right, y down, (0, 0) the centre of the
            image and its width 1. With the translation (-a, -b) in its last column the picture moves by (a, b).
    """

    def __init__(self, channels: int, size: int, rate: int, cutoff: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels
        self.size = size
        self.rate = rate
        self.cutoff = cutoff

    def build(self, w_shape: InputShape) -> None:
        wide = accumulation_dtype(self.compute_dtype)
        # Sines of many radians: they are computed in the wide type whatever the activations are stored in.
        self.affine = EqualisedDense(4, kernel_init=0.0, bias_init=(1.0, 0.0, 0.0, 0.0), name="affine", dtype=wide)
        self.affine.build(w_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.channels, self.channels),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            dtype=wide,
            autocast=False,
        )
        stored = functools.partial(
            self.add_weight, trainable=False, dtype=wide, autocast=False, aggregation="only_first_replica"
        )
        self.frequencies = stored(
            name="frequencies", shape=(self.channels, 2), initializer=RandomFrequencies(self.cutoff)
        )
        self.phases = stored(
            name="phases", shape=(self.channels,), initializer=keras.initializers.RandomUniform(-0.5, 0.5)
        )
        self.transform = stored(name="transform", shape=(3, 3), initializer=keras.initializers.Identity())

    def call(self, w: Float[Tensor, "N V"]) -> Float[Tensor, "N H H C"]:
        frequencies, phases = self.transformed(ops.cast(w, self.kernel.dtype))
        # A wave that was turned beyond the cutoff is faded out before it reaches what the pixels can hold.
        length = ops.sqrt(ops.sum(ops.square(frequencies), axis=2))  # [N, C]
        amplitudes = ops.clip(1.0 - (length - self.cutoff) / (self.rate / 2 - self.cutoff), 0.0, 1.0)
        # The place of pixel j is (j + 1/2 - size/2) / rate, along both axes.
        places = ops.convert_to_tensor((np.arange(self.size) + 0.5 - self.size / 2) / self.rate, frequencies.dtype)
        columns = places[None, None, :, None] * frequencies[:, None, None, :, 0]
        rows = places[None, :, None, None] * frequencies[:, None, None, :, 1]
        # x = a sin(2 pi (f . place + phase))
        x = ops.sin(2 * math.pi * (columns + rows + phases[:, None, None, :])) * amplitudes[:, None, None, :]
        y = ops.matmul(x, self.kernel / math.sqrt(self.channels))
        record("dense", y.shape, self.channels)
        return ops.cast(y, self.compute_dtype)

    def transformed(self, w: Float[Tensor, "N V"]) -> tuple[Float[Tensor, "N C 2"], Float[Tensor, "N C"]]:
        """The frequencies and phases of the waves of each row, after its own transformation of the plane.

        A row's t = (t0, t1, t2, t3) is divided by |(t0, t1)|. The plane is turned by [[t0, -t1], [t1, t0]] after it was
        moved by (-t2, -t3) and after `transform`: M = Rot Trans transform.
        """
        t = self.affine(w)
        t = t * ops.rsqrt(ops.sum(ops.square(t[:, :2]), axis=1, keepdims=True))
        cosine, sine = t[:, :1, None], t[:, 1:2, None]  # [N, 1, 1]
        matrix = ops.convert_to_tensor(self.transform)
        moved = matrix[None, :2] - t[:, 2:4, None] * matrix[None, 2:]  # Trans transform, [N, 2, 3]
        first, second = moved[:, :1], moved[:, 1:]
        turned = ops.concatenate([cosine * first - sine * second, sine * first + cosine * second], axis=1)
        frequencies = ops.convert_to_tensor(self.frequencies)[None]
        # phase <- phase + f . M[:, 2],  f <- f M[:, :2]
        products = ops.matmul(ops.broadcast_to(frequencies, (ops.shape(w)[0], self.channels, 2)), turned)  # [N, C, 3]
        return products[:, :, :2], self.phases + products[:, :, 2]

    def compute_output_shape(self, w_shape: InputShape) -> Shape:
        return (w_shape[0], self.size, self.size, self.channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "channels": self.channels,
            "size": self.size,
            "rate": self.rate,
            "cutoff": self.cutoff,
        }


class FilteredLayer(keras.layers.Layer):
    """A modulated convolution and a filtered activation; as the conversion to RGB without both filters.

    Keras cannot save it alone, since its filters come from the configuration of the network, which is saved.

    Args:
        plan: Its sizes and filters.
        clamp: The largest size of a value behind the activation; None: no limit.
        magnitude_decay: The share of the running mean square that a training step keeps.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Attributes:
        magnitude: The running mean square of the inputs in training, by whose root they are divided.
    """

    def __init__(self, plan: LayerPlan, clamp: float | None, magnitude_decay: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.plan = plan
        self.clamp = clamp
        self.magnitude_decay = magnitude_decay

    def build(self, x_shape: InputShape, w_shape: InputShape) -> None:
        plan, inputs = self.plan, self.plan.given.channels
        wide = accumulation_dtype(self.compute_dtype)
        self.style = EqualisedDense(inputs, bias_init=1.0, name="style", dtype=wide)
        self.style.build(w_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(plan.kernel_size, plan.kernel_size, inputs, plan.result.channels),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            dtype=wide,
            autocast=False,
        )
        self.bias = self.add_weight(
            name="bias", shape=(plan.result.channels,), initializer="zeros", dtype=wide, autocast=False
        )
        self.magnitude = self.add_weight(
            name="magnitude",
            shape=(),
            initializer="ones",
            trainable=False,
            dtype=wide,
            autocast=False,
            aggregation="mean",
        )

    def call(
        self, x: Float[Tensor, "N H W I"], w: Float[Tensor, "N V"], training: bool = False
    ) -> Float[Tensor, "N H2 W2 O"]:
        """Computes the layer.

        Args:
            x: The activations.
            w: The style of each row.
            training: Whether the running mean square is moved, before it is used.
        """
        plan = self.plan
        if training:
            # magnitude <- decay magnitude + (1 - decay) mean of x^2
            now = mean_over_replicas(ops.mean(ops.square(widen(x))))
            self.magnitude.assign(ops.stop_gradient(now + self.magnitude_decay * (self.magnitude - now)))
        styles = self.style(ops.cast(w, self.style.compute_dtype))
        if plan.is_to_rgb:
            styles = styles / math.sqrt(plan.given.channels)
        gain = ops.rsqrt(ops.convert_to_tensor(self.magnitude))
        y = normalised_modulated_convolution(x, self.kernel, styles, not plan.is_to_rgb, gain)
        return filtered_activation(
            y,
            self.bias,
            "linear" if plan.is_to_rgb else "leaky_relu",
            up=plan.up,
            down=plan.down,
            up_taps=plan.up_taps,
            down_taps=plan.down_taps,
            padding=(plan.padding, plan.padding),
            clamp=self.clamp,
        )

    def compute_output_shape(self, x_shape: InputShape, w_shape: InputShape) -> Shape:
        return (x_shape[0], self.plan.result.size, self.plan.result.size, self.plan.result.channels)
