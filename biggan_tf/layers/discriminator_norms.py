"""The layers that stand in the norm slots of a discriminator.

All are called as layer(x, classes, training=...), where the classes are rows of weights for them and most layers do not
look at them. They consist of operations with derivatives of any order, since penalties differentiate the gradient of a
discriminator; `layers.BatchNorm` has a first derivative alone.
"""

from __future__ import annotations

from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Activations, InputShape, Shape, Tensor


class _Normalisation(keras.layers.Layer):
    """Normalises activations, then applies a trained gain and offset for each channel, which start at 1 and 0.

    Args:
        epsilon: Added to the variance.
        offset: Whether there is an offset; where a bias follows it would be a second one.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, epsilon: float = 1e-5, offset: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.has_offset = offset

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        del classes_shape
        self.gain = self._weight("gain", num_channels(x_shape), "ones")
        self.offset = self._weight("offset", num_channels(x_shape), "zeros") if self.has_offset else None

    def _weight(self, name: str, channels: int, initializer: str, trainable: bool = True) -> keras.Variable:
        made: keras.Variable = self.add_weight(
            name=name,
            shape=(channels,),
            initializer=initializer,
            trainable=trainable,
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
            aggregation="none" if trainable else "mean",
        )
        return made

    def call(
        self, x: Activations, classes: Float[Tensor, "N classes"] | None = None, training: bool = False
    ) -> Activations:
        record("norm", x.shape)
        # y = gain (x - mean) / sqrt(variance + epsilon) + offset, where the moments are the layer's own.
        y = self.standardised(widen(x), training) * ops.convert_to_tensor(self.gain)
        if self.offset is not None:
            y = y + ops.convert_to_tensor(self.offset)
        return ops.cast(y, x.dtype)

    def standardised(self, x: Activations, training: bool) -> Activations:
        """(x - mean) / sqrt(variance + epsilon), for x in its `accumulation_dtype`."""
        raise NotImplementedError(f"{type(self).__name__} must define standardised.")

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon, "offset": self.has_offset}


@keras.saving.register_keras_serializable("biggan_tf")
class GroupNorm(_Normalisation):
    """Group norm (Wu and He 2018, arXiv:1803.08494, equations 1, 2 and 7): no row depends on another.

    The mean and the biased variance of a row's group of neighbouring channels are taken over their positions. With one
    group this is layer norm (arXiv:1607.06450), with a group for each channel instance norm (arXiv:1607.08022).

    Args:
        num_groups: How many groups the channels form, a divisor of their number; 0: a group for each channel.
        epsilon: Added to the variance.
        offset: Whether there is an offset; where a bias follows it would be a second one.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> GroupNorm(4)(keras.ops.ones((2, 8, 8, 16))).shape
        (2, 8, 8, 16)
    """

    def __init__(self, num_groups: int = 1, epsilon: float = 1e-5, offset: bool = True, **kwargs: Any):
        super().__init__(epsilon, offset, **kwargs)
        self.num_groups = num_groups

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        if self.num_groups and channels % self.num_groups:
            raise ValueError(
                f"num_groups must divide the channels. Received: num_groups={self.num_groups} for {channels} channels; "
                "choose a divisor of them, or 0 for a group for each channel."
            )
        super().build(x_shape, classes_shape)

    def standardised(self, x: Activations, training: bool) -> Activations:
        del training
        height, width, channels = x.shape[1:]
        groups = self.num_groups or channels
        rows = ops.reshape(x, (-1, height * width, groups, channels // groups))
        # mu_i = E_S_i[x], sigma_i^2 = E_S_i[(x - mu_i)^2], where S_i are the positions and channels of x_i's group.
        centred = rows - ops.mean(rows, axis=(1, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 3), keepdims=True)
        return ops.reshape(centred * ops.rsqrt(variance + self.epsilon), (-1, height, width, channels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_groups": self.num_groups}


@keras.saving.register_keras_serializable("biggan_tf")
class DiscriminatorBatchNorm(_Normalisation):
    """Batch norm (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1), with derivatives of any order.

    In training the moments are those of all rows and positions of a call, on all replicas, and the gradient flows
    through them; otherwise the stored moments are used, which follow those of training. The variance is the biased one.

    Args:
        epsilon: Added to the variance.
        momentum: The share of the stored moments that a call in training keeps.
        offset: Whether there is an offset; where a bias follows it would be a second one.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> DiscriminatorBatchNorm()(x, training=True)  # [N, H, W, C] -> [N, H, W, C]
    """

    def __init__(self, epsilon: float = 1e-5, momentum: float = 0.9, offset: bool = True, **kwargs: Any):
        super().__init__(epsilon, offset, **kwargs)
        self.momentum = momentum

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        super().build(x_shape, classes_shape)
        self.moving_mean = self._weight("moving_mean", num_channels(x_shape), "zeros", trainable=False)
        self.moving_variance = self._weight("moving_variance", num_channels(x_shape), "ones", trainable=False)

    def standardised(self, x: Activations, training: bool) -> Activations:
        if training:
            # Two means over replicas, because E[x^2] - E[x]^2 loses all digits where the mean is large.
            mean = mean_over_replicas(ops.mean(x, axis=(0, 1, 2)))
            variance = mean_over_replicas(ops.mean(ops.square(x - mean), axis=(0, 1, 2)))
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
        else:
            mean = ops.convert_to_tensor(self.moving_mean)
            variance = ops.convert_to_tensor(self.moving_variance)
        return (x - mean) * ops.rsqrt(variance + self.epsilon)

    def _follow(self, stored: keras.Variable, of_batch: Float[Tensor, " C"]) -> None:
        """Moves a stored moment towards that of a batch."""
        # stored <- momentum stored + (1 - momentum) of_batch
        kept = self.momentum * ops.convert_to_tensor(stored)
        stored.assign(kept + (1.0 - self.momentum) * ops.stop_gradient(of_batch))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


@keras.saving.register_keras_serializable("biggan_tf")
class ClassGain(keras.layers.Layer):
    """Multiplies a row of class y by exp(a_y), where a is a trained vector with a number for each class.

    Next to convolutions whose kernels have spectral norm this is our label-conditional spectral norm, which
    `config.discriminator_norms.ConditionalSpectralConfig` defines.

    Args:
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> ClassGain()(x, classes)  # [N, H, W, C], [N, classes] -> [N, H, W, C]
    """

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        del x_shape
        if classes_shape is None:
            raise ValueError(
                "ClassGain must be built and called with classes. Received: none; build it with their shape."
            )
        self.log_gains = self.add_weight(
            name="log_gains",
            shape=(num_channels(classes_shape),),
            initializer="zeros",
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
        )

    def call(
        self, x: Activations, classes: Float[Tensor, "N classes"] | None = None, training: bool = False
    ) -> Activations:
        """Multiplies the rows.

        Args:
            x: The activations.
            classes: A row of weights for the classes of each row of x, a 1 among zeros for a class.
            training: Changes nothing.
        """
        if classes is None:
            raise ValueError("ClassGain must be called with classes. Received: none; pass rows of weights for them.")
        log_gains = ops.convert_to_tensor(self.log_gains)
        # exp(sum over classes of weight_y a_y), in float32 or float64 until the product.
        gains = ops.exp(ops.matmul(ops.cast(classes, log_gains.dtype), log_gains))
        return x * ops.cast(gains, x.dtype)[:, None, None, None]

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        return tuple(x_shape)
