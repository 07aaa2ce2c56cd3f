"""Loads the generators that DeepMind published on TF-Hub, from the files of huggingface/pytorch-pretrained-BigGAN."""

from __future__ import annotations

import os
from pathlib import Path

from biggan_tf import precision
from biggan_tf.families.biggan import hub_config
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.torch_files import open_state_dict
from biggan_tf.interop.weight_map import Entry, convolution, dense, row, scalar
from biggan_tf.layers import ConditionalBatchNorm, SelfAttention, SNConv2D, SNDense

# Ends of the names of tensors that are not needed: the other vector of the power iteration.
IGNORED = (".weight_v",)


def load_tfhub_port(directory: str | os.PathLike, policy: str = "float32") -> Generator:
    """Loads a generator with the moments of its batch norms for every truncation that the files hold.

    Args:
        directory: The folder with the two files, `config.json` and `pytorch_model.bin`.
        policy: The dtype policy of the generator, "float32" by default. Under "float64" it computes in float64.

    Returns:
        The generator; call it as `generator((z, generator.embed(labels)), truncation=0.4)`. Between two stored
        truncations it interpolates the moments linearly. The port swaps the two weights of that interpolation; this
        does not.

    Raises:
        WeightsFileError: If a file is damaged, holds something else or could run code, or if its tensors do not fit;
            the error names each such tensor.
    """
    directory = Path(directory)
    settings = hub_config.read(directory / "config.json")
    model = precision.resolved(settings.model_config(policy))
    with open_state_dict(directory / "pytorch_model.bin") as tensors:
        return weight_map.load_network(
            lambda: Generator(model, num_statistics=settings.n_stats), _entries, tensors, str(directory), IGNORED
        )


def _entries(generator: Generator) -> list[Entry]:
    entries = [dense("embeddings.weight", generator.class_embedding.kernel)]
    entries += _kernel_and_bias("generator.gen_z", generator.linear)
    number = 0
    for layers in generator.blocks:
        for layer in layers:
            name = f"generator.layers.{number}"
            number += 1
            if isinstance(layer, SelfAttention):
                entries += _attention(name, layer)
                continue
            for k, (norm, conv) in enumerate(zip(layer.norms, layer.convolutions, strict=True)):
                entries += _batch_norm(f"{name}.bn_{k}", norm) + _kernel_and_bias(f"{name}.conv_{k}", conv)
    entries += _batch_norm("generator.bn", generator.final_norm)
    entries += _kernel_and_bias("generator.conv_to_rgb", generator.to_rgb)
    return entries


def _attention(name: str, layer: SelfAttention) -> list[Entry]:
    parts = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o_conv": layer.output_projection}
    entries = [scalar(f"{name}.gamma", layer.gamma)]
    for part, conv in parts.items():
        entries += _kernel_and_bias(f"{name}.snconv1x1_{part}", conv)
    return entries


def _batch_norm(name: str, layer: ConditionalBatchNorm) -> list[Entry]:
    entries = [
        Entry(f"{name}.running_means", layer.norm.moving_mean),
        Entry(f"{name}.running_vars", layer.norm.moving_variance),
    ]
    if layer.is_conditional:
        return (
            entries + _kernel_and_bias(f"{name}.scale", layer.gain) + _kernel_and_bias(f"{name}.offset", layer.offset)
        )
    return [*entries, Entry(f"{name}.weight", layer.gain), Entry(f"{name}.bias", layer.offset)]


def _kernel_and_bias(name: str, layer: SNConv2D | SNDense) -> list[Entry]:
    kernel = (convolution if isinstance(layer, SNConv2D) else dense)(f"{name}.weight_orig", layer.kernel)
    entries = [kernel, row(f"{name}.weight_u", layer.u)]
    if layer.use_bias:
        entries.append(Entry(f"{name}.bias", layer.bias))
    return entries
