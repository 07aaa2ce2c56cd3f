"""The names of NVIDIA's StyleGAN3 in PyTorch (NVlabs/stylegan3) for our variables."""

from __future__ import annotations

from biggan_tf.families.stylegan2.pytorch_names import dense_entries, mapping_entries
from biggan_tf.families.stylegan3.blocks import FilteredLayer
from biggan_tf.families.stylegan3.generator import Generator
from biggan_tf.families.stylegan3.tables import LayerPlan
from biggan_tf.interop.weight_map import Entry, convolution, dense

# Constants of that code, which hold the layers' filters.
FILTERS = ("up_filter", "down_filter")


def generator_entries(generator: Generator) -> list[Entry]:
    """The tensors of G or G_ema and our variables for them."""
    features = generator.fourier_features
    entries = [
        *mapping_entries(generator),
        dense("synthesis.input.weight", features.kernel),
        *dense_entries("synthesis.input.affine", features.affine),
        Entry("synthesis.input.freqs", features.frequencies),
        Entry("synthesis.input.phases", features.phases),
        Entry("synthesis.input.transform", features.transform),
    ]
    for layer in generator.filtered_layers:
        entries += _layer(layer_name(layer.plan), layer)
    return entries


def layer_name(plan: LayerPlan) -> str:
    """That code's name of a layer, which tells its place, size and channels."""
    return f"synthesis.L{plan.number}_{plan.result.size}_{plan.result.channels}"


def _layer(name: str, layer: FilteredLayer) -> list[Entry]:
    return [
        convolution(f"{name}.weight", layer.kernel),
        Entry(f"{name}.bias", layer.bias),
        Entry(f"{name}.magnitude_ema", layer.magnitude),
        *dense_entries(f"{name}.affine", layer.style),
    ]
