"""The published TF-Hub generators, as their PyTorch port stores them (huggingface/pytorch-pretrained-BigGAN)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from biggan_tf.config import ModelConfig
from biggan_tf.interop import weight_map
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.interop.weight_map import Entry, convolution, dense, row, scalar
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.layers import ConditionalBatchNorm, SelfAttention, SNConv2D, SNDense
from biggan_tf.networks import Generator

CONFIG_KEYS = (
    "attention_layer_position",
    "channel_width",
    "class_embed_dim",
    "eps",
    "layers",
    "n_stats",
    "num_classes",
    "output_dim",
    "z_dim",
)
IGNORED = (".weight_v",)


def load_tfhub_port(directory: str | os.PathLike, policy: str = "float32") -> Generator:
    """Loads `config.json` and `pytorch_model.bin`, with the batch statistics of every truncation.

    Args:
        directory: Holds the two files.
        policy: The network's dtype policy. Under float64 it computes in float64.

    Returns:
        The generator; call it as `generator((z, generator.embed(labels)), truncation=0.4)`. Between the stored
        truncations it interpolates (the port's own interpolation weights are the wrong way round).

    Raises:
        WeightsFileError: If a file is damaged, foreign or unsafe, or does not fit, naming each tensor.
    """
    directory = Path(directory)
    settings = _settings(directory / "config.json")
    tensors = read_state_dict(directory / "pytorch_model.bin")
    model = _model_config(settings, policy)
    generator = Generator(model, num_statistics=settings["n_stats"])
    weight_map.assign(_entries(generator), tensors, str(directory), IGNORED)
    return generator


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in CONFIG_KEYS if key not in settings]
    except (OSError, ValueError, TypeError) as error:
        raise WeightsFileError(f"{path} must be a readable JSON object. Received: {error}") from error
    if missing:
        raise WeightsFileError(f"{path} must name {', '.join(CONFIG_KEYS)}. Received: none of {', '.join(missing)}")
    return settings


def _model_config(settings: dict[str, Any], policy: str) -> ModelConfig:
    layers = settings["layers"]
    pairs = list(zip(layers[::2], layers[1::2], strict=False))
    regular = len(layers) % 2 == 0 and all(
        not first[0] and first[1] == first[2] == second[1] for first, second in pairs
    )
    position = settings["attention_layer_position"]
    if not regular or position % 2 or not 0 < position <= len(layers):
        raise WeightsFileError(
            "The layers must come in pairs, the first keeping size and channels, with attention between two pairs. "
            f"Received: layers={layers}, attention_layer_position={position}"
        )
    upsampling = tuple(bool(second[0]) for _, second in pairs)
    table = (pairs[0][0][1], *(second[2] for _, second in pairs))
    attention = 4 * 2 ** sum(upsampling[: position // 2])
    return ModelConfig(
        architecture="biggan_deep",
        reference="tfhub",
        resolution=settings["output_dim"],
        num_classes=settings["num_classes"],
        z_dim=settings["z_dim"],
        embedding_dim=settings["class_embed_dim"],
        generator_channels=settings["channel_width"],
        generator_table=table,
        generator_upsampling=upsampling,
        generator_attention=(attention,),
        spectral_norm_epsilon=settings["eps"],
        batch_norm_epsilon=settings["eps"],
        policy=policy,
    )


def _entries(generator: Generator) -> list[Entry]:
    entries = [dense("embeddings.weight", generator.class_embedding.kernel)]
    entries += _normalised("generator.gen_z", generator.linear)
    number = 0
    for layers in generator.blocks:
        for layer in layers:
            name = f"generator.layers.{number}"
            number += 1
            if isinstance(layer, SelfAttention):
                entries += _attention(name, layer)
                continue
            for k, (norm, conv) in enumerate(zip(layer.norms, layer.convolutions, strict=True)):
                entries += _batch_norm(f"{name}.bn_{k}", norm) + _normalised(f"{name}.conv_{k}", conv)
    entries += _batch_norm("generator.bn", generator.final_norm)
    entries += _normalised("generator.conv_to_rgb", generator.to_rgb)
    return entries


def _attention(name: str, layer: SelfAttention) -> list[Entry]:
    parts = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o_conv": layer.output_projection}
    entries = [scalar(f"{name}.gamma", layer.gamma)]
    for part, conv in parts.items():
        entries += _normalised(f"{name}.snconv1x1_{part}", conv)
    return entries


def _batch_norm(name: str, layer: ConditionalBatchNorm) -> list[Entry]:
    entries = [
        Entry(f"{name}.running_means", layer.norm.moving_mean),
        Entry(f"{name}.running_vars", layer.norm.moving_variance),
    ]
    if layer.is_conditional:
        return entries + _normalised(f"{name}.scale", layer.gain) + _normalised(f"{name}.offset", layer.offset)
    return [*entries, Entry(f"{name}.weight", layer.gain), Entry(f"{name}.bias", layer.offset)]


def _normalised(name: str, layer: SNConv2D | SNDense) -> list[Entry]:
    kernel = (convolution if isinstance(layer, SNConv2D) else dense)(f"{name}.weight_orig", layer.kernel)
    entries = [kernel, row(f"{name}.weight_u", layer.u)]
    if layer.use_bias:
        entries.append(Entry(f"{name}.bias", layer.bias))
    return entries
