"""Counts the multiply-adds of a graph of TensorFlow, for networks that are not built from layers of this package."""

from __future__ import annotations

import math

import tensorflow as tf

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_PRODUCTS = ("MatMul", "BatchMatMulV2", "BatchMatMulV3")


def multiply_adds(function: tf.types.experimental.ConcreteFunction, height: int, width: int) -> int:
    """How many multiplications with an addition the convolutions and matrix products take for one image.

    Args:
        function: Takes images [N, H, W, 3] alone and calls no further functions, as one whose variables were made
            constants does.
        height: The height of the image, in pixels.
        width: The width of the image, in pixels.
    """
    (images,) = function.inputs
    with tf.Graph().as_default() as graph:
        # All shapes are known in a copy whose image has a size.
        image = tf.compat.v1.placeholder(images.dtype, (1, height, width, 3))
        tf.graph_util.import_graph_def(function.graph.as_graph_def(), {images.name: image}, name="")
        return sum(_of_operation(operation) for operation in graph.get_operations())


def _of_operation(operation: tf.Operation) -> int:
    if operation.type in _CONVOLUTIONS:
        kernel = operation.inputs[1].shape
        # A depthwise convolution sums over the positions of the kernel alone, and others over the input channels, too.
        each = math.prod(kernel[: 2 if operation.type == _CONVOLUTIONS[1] else 3])
    elif operation.type in _PRODUCTS:
        transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
        each = operation.inputs[0].shape[-2 if transposed else -1]
    else:
        return 0
    return int(math.prod(operation.outputs[0].shape) * each)
