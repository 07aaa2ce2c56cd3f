"""Penalties that games compose: orthogonal kernels, and the steepness of the discriminator.

Orthogonal regularisation is equation 3 of Brock et al. 2018 (arXiv:1809.11096): beta * |W^T W * (1 - I)|^2, where |.|
is the Frobenius norm and * (1 - I) drops the diagonal. It is 0 where the weights of every two outputs are orthogonal,
whatever their lengths. Half of it is used here, as in the authors' PyTorch code, which adds
2 * beta * (W W^T * (1 - I)) W to the gradient for a W with a row for each output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.contracts.generator import Styles
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import means_over_replicas, num_replicas
from biggan_tf.types import Scalar, Tensor


def orthogonal_gradient(kernel: Float[Tensor, "*S"], strength: float) -> Float[Tensor, "*S"]:
    """The gradient of half of equation 3, which is added to the gradient of the loss.

    Each row of W holds the weights of one output. Of the penalty strength / 2 * |W W^T * (1 - I)|^2 the gradient is
    2 * strength * (W W^T * (1 - I)) W.

    Args:
        kernel: The kernel itself, not divided by its singular value, with the axis of the outputs last.
        strength: The paper's beta, 1e-4 there.

    Returns:
        In the shape of the kernel and its `accumulation_dtype`.
    """
    rows = _rows(kernel)
    gradient = 2.0 * strength * ops.matmul(_off_diagonal_products(rows), rows)
    return ops.reshape(ops.transpose(gradient), kernel.shape)


def _rows(kernel: Float[Tensor, "*S"]) -> Float[Tensor, "out rest"]:
    """The kernel as the matrix W with a row for each output."""
    kernel = widen(kernel)
    return ops.transpose(ops.reshape(kernel, (-1, kernel.shape[-1])))


def _off_diagonal_products(rows: Float[Tensor, "out rest"]) -> Float[Tensor, "out out"]:
    """W W^T * (1 - I): the products of every two different rows."""
    products = ops.matmul(rows, ops.transpose(rows))
    return products * (1.0 - ops.eye(products.shape[0], dtype=products.dtype))


def with_squared_gradient(
    round_: Round, batch: Batch, *others: Batch, change: Callable[[Batch], Batch] | None = None
) -> tuple[list[Judgement], Float[Tensor, " N"]]:
    """D's answers, and how steep D is at the images of one batch: |dD(x)/dx|^2 for each of its rows.

    The mean over real images times gamma / 2 is the penalty R1, over fakes R2 (Mescheder et al. 2018,
    arXiv:1801.04406, equations 9 and 10). Where D couples rows, as by batch norm, see `with_squared_gradients`.

    Args:
        round_: The round of the phase whose loss the penalty belongs to.
        batch: Where the gradient is taken.
        *others: Further images that go through D in the same call.
        change: What is done to each batch in front of D; the gradient passes through it. None: nothing.
    """
    judgements, (squared,) = with_squared_gradients(round_, [batch, *others], [0], change)
    return judgements, squared


def with_squared_gradients(
    round_: Round,
    batches: Sequence[Batch],
    at: Sequence[int],
    change: Callable[[Batch], Batch] | None = None,
) -> tuple[list[Judgement], list[Float[Tensor, " N"]]]:
    """D's answers, and |dD(x)/dx|^2 for each row of some of the batches.

    One gradient is taken, of the sum of all logits, in place of one for each row. They are the same where a row's
    logit depends on its own image alone. Where D couples rows, by batch norm or the minibatch deviation, a row's
    gradient also holds how the other rows' logits depend on its image.

    Args:
        round_: The round of the phase whose loss the penalties belong to.
        batches: The images that go through D in one call.
        at: The numbers of those batches at which the gradient is taken.
        change: What is done to each batch in front of D; the gradient passes through it. None: nothing.
    """
    if not at:
        return round_.discriminate(*(batches if change is None else map(change, batches))), []
    # Gradients by inputs inside of a loss are TensorFlow's alone, as training is.
    import tensorflow as tf

    # The outer tape, which differentiates the loss by D's weights, records what this one computes.
    images = [batches[number].images for number in at]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        seen = batches if change is None else [change(each) for each in batches]
        judgements = round_.discriminate(*seen)
        totals = [ops.sum(judgements[number].logits) for number in at]
        total = sum(totals[1:], totals[0])
    gradients = [widen(gradient) for gradient in tape.gradient(total, images)]
    return judgements, [ops.sum(ops.square(gradient), axis=(1, 2, 3)) for gradient in gradients]


def squared_gradients_between(
    round_: Round, real: Batch, fake: Batch, change: Callable[[Batch], Batch] | None = None
) -> Float[Tensor, " N"]:
    """|dD(m)/dm|^2 at a random point m between each real image and a fake (Gulrajani et al. 2017, arXiv:1704.00028).

    Args:
        round_: The round of the phase whose loss the penalty belongs to.
        real: The real images, whose labels D is given with the points.
        fake: The fakes, as many as there are real images.
        change: What is done to each batch in front of D; the gradient passes through it. None: nothing.
    """
    share = round_.random_uniform((1, 1, 1))
    first = ops.convert_to_tensor(real.images)
    # m = x + u (G(z) - x), u of U(0, 1) for each row
    points = first + ops.cast(share, first.dtype) * (ops.cast(fake.images, first.dtype) - first)
    _, squared = with_squared_gradient(round_, Batch(ops.stop_gradient(points), real.labels), change=change)
    return squared


def squared_gradients_around(
    round_: Round, real: Batch, change: Callable[[Batch], Batch] | None = None
) -> Float[Tensor, " N"]:
    """|dD(y)/dy|^2 at a random point y near each real image (DRAGAN, Kodali et al. 2017, arXiv:1705.07215).

    Args:
        round_: The round of the phase whose loss the penalty belongs to.
        real: The real images.
        change: What is done to each batch in front of D; the gradient passes through it. None: nothing.
    """
    images = ops.convert_to_tensor(real.images)
    values = widen(images)
    share = ops.cast(round_.random_uniform((1, 1, 1)), values.dtype)
    noise = ops.cast(round_.random_uniform(tuple(images.shape[1:])), values.dtype)
    # y = x + u std(x) v / 2; u of U(0, 1) for each row and v for each value; the deviation is that of the whole batch
    mean, square = means_over_replicas([ops.mean(values), ops.mean(ops.square(values))])
    count = math.prod(images.shape) * num_replicas()
    deviation = ops.sqrt((square - ops.square(mean)) * (count / (count - 1)))
    points = ops.cast(values + 0.5 * share * deviation * noise, images.dtype)
    _, squared = with_squared_gradient(round_, Batch(ops.stop_gradient(points), real.labels), change=change)
    return squared


def gradient_lengths(squared: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """|g| from |g|^2; the root's gradient at 0, which does not exist, counts as 0. NaN, of an overflow, stays NaN."""
    flat = squared == 0
    return ops.where(flat, ops.zeros_like(squared), ops.sqrt(ops.where(flat, ops.ones_like(squared), squared)))


def slope_penalty(squared: Float[Tensor, " N"], centre: float) -> Scalar:
    """Computes E[(|g| - centre)^2] (arXiv:1704.00028, equation 3, where the centre is 1) from |g|^2.

    Args:
        squared: |g|^2 of each row.
        centre: What the lengths are drawn to: 1, or 0 for the zero-centred penalty.
    """
    if centre == 0.0:
        return ops.mean(squared)
    return ops.mean(ops.square(gradient_lengths(squared) - centre))


def path_lengths(round_: Round, styles: Styles) -> Float[Tensor, " N"]:
    """How much each image changes with its styles: the length of J^T y (arXiv:1912.04958, equation 4).

    J is the derivative of the image by the styles, and y an image of N(0, 1) divided by the root of its number of
    pixels. The square of the length is the mean over layers of sum_v (J^T y)_v^2.

    Args:
        round_: The round of the phase whose loss the lengths belong to.
        styles: A tuple with one tensor, [N, layers, V].
    """
    import tensorflow as tf

    (ws,) = styles
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(ws)
        images = round_.synthesise(type(styles)(ws), moves_state=False).images
        _, height, width, _ = images.shape
        noise = ops.cast(round_.random_normal(tuple(images.shape[1:])), images.dtype) / math.sqrt(height * width)
        total = ops.sum(images * noise)
    gradient = widen(tape.gradient(total, ws))
    return gradient_lengths(ops.mean(ops.sum(ops.square(gradient), axis=2), axis=1))
