"""What `GAN.fit` and its like are given, images, labels, optimizers and options: each is taken or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from biggan_tf.contracts.game import Batch
from biggan_tf.types import Images, Tensor

# Values of float images may exceed the range by as much as a resize or a cast to half precision moves them.
_TOLERANCE = 0.01
_RANGE = (
    "Images must lie in [-1, 1], or be uint8 from 0 to 255, which are brought there. Received: float images with "
    "values outside; divide by 127.5 and subtract 1."
)
_UNUSED_BY_FIT = ("validation_data", "validation_split", "class_weight", "sample_weight")
_UNUSED_BY_COMPILE = ("metrics", "weighted_metrics", "loss_weights")
Result = TypeVar("Result")


def batch_of(data: object, num_classes: int) -> Batch:
    """The images and labels of a step.

    Args:
        data: What Keras hands over: images, (images,) or (images, labels). Labels may be a column, of shape (N, 1), as
            in the data sets of Keras.
        num_classes: How many classes the networks have; 0: none, and labels are not needed.

    Raises:
        ValueError: If labels are missing, or the images have a dtype that images have not.
    """
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError("A GAN weighs all images alike. Received: a sample weight; leave it out.")
    images = as_images(tf.convert_to_tensor(images))
    if labels is None:
        if num_classes:
            raise ValueError(
                f"Networks with {num_classes} classes must be trained on (images, labels). Received: images alone; "
                "give the labels as `y`, or set model.num_classes to 0."
            )
        labels = tf.zeros([tf.shape(images)[0]], tf.int32)
    labels = tf.convert_to_tensor(labels)
    if labels.dtype.is_integer and labels.shape.rank == 2 and labels.shape[1] == 1:
        labels = tf.squeeze(labels, axis=1)
    return Batch(images, labels)


def as_images(images: Tensor) -> Images:
    """Images in [-1, 1] of bytes or floats.

    XLA leaves out the check of the values, as it does with every assertion; `refuse_values` is for that.

    Raises:
        ValueError: If they are of another dtype.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    if not images.dtype.is_floating:
        raise ValueError(
            f"Images must be floats in [-1, 1], or uint8 from 0 to 255. Received: {images.dtype.name}; cast them."
        )
    check = tf.debugging.Assert(_in_range(images), [_RANGE])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(images)


def refuse_values(x: object) -> object:
    """Raises ValueError for arrays with values that are no images; a dataset gets the check in its pipeline.

    Args:
        x: The images of `fit`.

    Returns:
        What to train on in the place of `x`.
    """
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size and not np.abs(x).max() <= 1.0 + _TOLERANCE:
        raise ValueError(_RANGE)
    return x.map(_checked_element) if isinstance(x, tf.data.Dataset) else x


@tf.autograph.experimental.do_not_convert
def _checked_element(*element: Tensor) -> Tensor | tuple[Tensor, ...]:
    images = element[0]
    if isinstance(images, tf.Tensor) and images.dtype.is_floating:
        with tf.control_dependencies([tf.debugging.Assert(_in_range(images), [_RANGE])]):
            element = (tf.identity(images), *element[1:])
    return element if len(element) > 1 else element[0]


def _in_range(images: Images) -> Tensor:
    # A NaN is not in the range, either.
    return tf.reduce_all(tf.abs(tf.cast(images, tf.float32)) <= 1.0 + _TOLERANCE)


def with_clear_errors(call: Callable[[], Result]) -> Result:
    """Calls a function of Keras; values that are no images raise a ValueError of one sentence, without the graph."""
    try:
        return call()
    except tf.errors.InvalidArgumentError as error:
        if _RANGE.partition(".")[0] not in str(error):
            raise
    raise ValueError(_RANGE)


def refuse_options_of_fit(options: Mapping[str, object]) -> None:
    """Raises ValueError for the arguments of `keras.Model.fit` that mean nothing for a GAN."""
    given = [
        name
        for name in _UNUSED_BY_FIT
        if options.get(name) is not None and not (name == "validation_split" and options[name] == 0.0)
    ]
    if given:
        raise ValueError(
            f"A GAN has no loss on images that it is not trained on, and weighs all alike. Received: "
            f"{', '.join(given)}; leave that out, and compare samples with held-out images by biggan_tf.evaluate."
        )


def refuse_options_of_compile(options: Mapping[str, object]) -> None:
    """Raises ValueError for the arguments of `keras.Model.compile` that mean nothing for a GAN."""
    given = [name for name in _UNUSED_BY_COMPILE if options.get(name)]
    if given:
        raise ValueError(
            f"A GAN reports the scalars of its game. Received: {', '.join(given)}; leave that out, and weigh penalties "
            "in the game's configuration."
        )


def optimizer_for(
    optimizer: keras.optimizers.Optimizer | str | Mapping[str, keras.optimizers.Optimizer | str], network: str
) -> keras.optimizers.Optimizer:
    """A network's own optimizer, of what `compile` was given.

    Args:
        optimizer: An optimizer or its name, of which the network gets a copy; or one for each network by its name.
        network: "generator" or "discriminator".

    Raises:
        ValueError: If there is none for the network.
    """
    if isinstance(optimizer, str):
        return keras.optimizers.get(optimizer)
    if not isinstance(optimizer, Mapping):
        return type(optimizer).from_config(optimizer.get_config())
    if network not in optimizer:
        raise ValueError(f"optimizer must have a 'generator' and a 'discriminator'. Received: {sorted(optimizer)}.")
    return keras.optimizers.get(optimizer[network])


def refuse_another_global_policy(policy: str) -> None:
    """Raises ValueError if Keras was told to compute in another dtype than the configuration says.

    Args:
        policy: `model.policy`, which decides, so that a run computes in the same wherever it goes on.
    """
    chosen = keras.config.dtype_policy().name
    if chosen not in ("float32", policy):
        raise ValueError(
            f"The networks' dtype policy is config.model.policy. Received: the global policy {chosen} with "
            f"model.policy={policy}; set config.model.policy to {chosen}, or take the global policy back."
        )
