"""The Inception network behind the FID: TensorFlow's graph of 2015-12-05, in Keras.

It differs from later networks called Inception v3 in four ways: it has 1008 classes; the batch norms of the original
have no gain (the file of weights has ones in its place); averages over a window leave the padding out; and the pooling
branch of the last block takes a maximum, not an average. Layers are named after the tensors of the file
`pt_inception-2015-12-05`, the form in which the weights are published today.
"""

from collections.abc import Mapping

import keras
import numpy as np

_EPSILON = 1e-3
NUM_FEATURES = 2048
NUM_LOGITS = 1008


def build_inception() -> keras.Model:
    """The network without weights: images `[N, 299, 299, 3]` in [-1, 1] to (features, logits)."""
    images = keras.Input((None, None, 3))
    x = _conv(images, "Conv2d_1a_3x3", 32, 3, strides=2, padding="valid")
    x = _conv(x, "Conv2d_2a_3x3", 32, 3, padding="valid")
    x = _conv(x, "Conv2d_2b_3x3", 64, 3)
    x = keras.layers.MaxPooling2D(3, 2)(x)
    x = _conv(x, "Conv2d_3b_1x1", 80, 1)
    x = _conv(x, "Conv2d_4a_3x3", 192, 3, padding="valid")
    x = keras.layers.MaxPooling2D(3, 2)(x)
    for name, pool_channels in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _block_35(x, name, pool_channels)
    x = _reduce_to_17(x, "Mixed_6a")
    for name, channels in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = _block_17(x, name, channels)
    x = _reduce_to_8(x, "Mixed_7a")
    x = _block_8(x, "Mixed_7b", keras.layers.AveragePooling2D(3, 1, "same"))
    x = _block_8(x, "Mixed_7c", keras.layers.MaxPooling2D(3, 1, "same"))
    features = keras.layers.GlobalAveragePooling2D()(x)
    logits = keras.layers.Dense(NUM_LOGITS, name="fc")(features)
    return keras.Model(images, (features, logits), name="inception_2015_12_05")


def load_inception_weights(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Assigns the tensors of a `pt_inception-2015-12-05` file to the layers with their names."""
    missing, wrong = [], []
    for layer in model.layers:
        names = tensor_names(layer)
        absent = [name for name in names if name not in tensors]
        missing += absent
        if absent or not names:
            continue
        values = [_to_keras(np.asarray(tensors[name])) for name in names]
        for name, value, variable in zip(names, values, layer.weights, strict=True):
            if value.shape != tuple(variable.shape):
                wrong.append(f"{name} {value.shape} for {tuple(variable.shape)}")
        if not wrong:
            layer.set_weights(values)
    if missing or wrong:
        raise ValueError(
            "the weights must be those of the FID Inception network (pt_inception-2015-12-05). "
            f"Received a file with {len(missing)} tensors missing {missing[:3]} and {len(wrong)} of "
            f"another shape {wrong[:3]}"
        )


def tensor_names(layer: keras.Layer) -> list[str]:
    """The names that a layer's weights have in the published file, in the order of the layer's weights."""
    match layer:
        case keras.layers.Conv2D():
            return [f"{layer.name}.weight"]
        case keras.layers.BatchNormalization():
            return [f"{layer.name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        case keras.layers.Dense():
            return [f"{layer.name}.weight", f"{layer.name}.bias"]
    return []


def _to_keras(value: np.ndarray) -> np.ndarray:
    """OIHW to HWIO, OI to IO."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def _conv(
    x: keras.KerasTensor,
    name: str,
    channels: int,
    kernel: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(channels, kernel, strides, padding, use_bias=False, name=f"{name}.conv")(x)
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}.bn")(x)
    return keras.layers.ReLU()(x)


def _block_35(x: keras.KerasTensor, name: str, pool_channels: int) -> keras.KerasTensor:
    one = _conv(x, f"{name}.branch1x1", 64, 1)
    five = _conv(_conv(x, f"{name}.branch5x5_1", 48, 1), f"{name}.branch5x5_2", 64, 5)
    three = _conv(x, f"{name}.branch3x3dbl_1", 64, 1)
    three = _conv(three, f"{name}.branch3x3dbl_2", 96, 3)
    three = _conv(three, f"{name}.branch3x3dbl_3", 96, 3)
    pool = keras.layers.AveragePooling2D(3, 1, "same")(x)
    pool = _conv(pool, f"{name}.branch_pool", pool_channels, 1)
    return keras.layers.Concatenate()([one, five, three, pool])


def _reduce_to_17(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    three = _conv(x, f"{name}.branch3x3", 384, 3, strides=2, padding="valid")
    double = _conv(x, f"{name}.branch3x3dbl_1", 64, 1)
    double = _conv(double, f"{name}.branch3x3dbl_2", 96, 3)
    double = _conv(double, f"{name}.branch3x3dbl_3", 96, 3, strides=2, padding="valid")
    return keras.layers.Concatenate()([three, double, keras.layers.MaxPooling2D(3, 2)(x)])


def _block_17(x: keras.KerasTensor, name: str, channels: int) -> keras.KerasTensor:
    one = _conv(x, f"{name}.branch1x1", 192, 1)
    seven = _conv(x, f"{name}.branch7x7_1", channels, 1)
    seven = _conv(seven, f"{name}.branch7x7_2", channels, (1, 7))
    seven = _conv(seven, f"{name}.branch7x7_3", 192, (7, 1))
    double = _conv(x, f"{name}.branch7x7dbl_1", channels, 1)
    double = _conv(double, f"{name}.branch7x7dbl_2", channels, (7, 1))
    double = _conv(double, f"{name}.branch7x7dbl_3", channels, (1, 7))
    double = _conv(double, f"{name}.branch7x7dbl_4", channels, (7, 1))
    double = _conv(double, f"{name}.branch7x7dbl_5", 192, (1, 7))
    pool = keras.layers.AveragePooling2D(3, 1, "same")(x)
    pool = _conv(pool, f"{name}.branch_pool", 192, 1)
    return keras.layers.Concatenate()([one, seven, double, pool])


def _reduce_to_8(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    three = _conv(x, f"{name}.branch3x3_1", 192, 1)
    three = _conv(three, f"{name}.branch3x3_2", 320, 3, strides=2, padding="valid")
    seven = _conv(x, f"{name}.branch7x7x3_1", 192, 1)
    seven = _conv(seven, f"{name}.branch7x7x3_2", 192, (1, 7))
    seven = _conv(seven, f"{name}.branch7x7x3_3", 192, (7, 1))
    seven = _conv(seven, f"{name}.branch7x7x3_4", 192, 3, strides=2, padding="valid")
    return keras.layers.Concatenate()([three, seven, keras.layers.MaxPooling2D(3, 2)(x)])


def _block_8(x: keras.KerasTensor, name: str, pooling: keras.Layer) -> keras.KerasTensor:
    one = _conv(x, f"{name}.branch1x1", 320, 1)
    three = _conv(x, f"{name}.branch3x3_1", 384, 1)
    double = _conv(x, f"{name}.branch3x3dbl_1", 448, 1)
    double = _conv(double, f"{name}.branch3x3dbl_2", 384, 3)
    pool = _conv(pooling(x), f"{name}.branch_pool", 192, 1)
    wide_and_tall = [
        _conv(three, f"{name}.branch3x3_2a", 384, (1, 3)),
        _conv(three, f"{name}.branch3x3_2b", 384, (3, 1)),
        _conv(double, f"{name}.branch3x3dbl_3a", 384, (1, 3)),
        _conv(double, f"{name}.branch3x3dbl_3b", 384, (3, 1)),
    ]
    return keras.layers.Concatenate()([one, *wide_and_tall, pool])
