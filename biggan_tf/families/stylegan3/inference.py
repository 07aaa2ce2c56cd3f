"""Folds StyleGAN3's generator for inference: the gains of all dense layers are multiplied into their weights once."""

from __future__ import annotations

from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.inference import EXACT, BatchNormMoments
from biggan_tf.families.stylegan2.mapped_inference import MappedInference
from biggan_tf.families.stylegan3.generator import Generator
from biggan_tf.inference.folding import copy_for


def fold(
    generator: contract.Generator, moments: BatchNormMoments, precision: str = "float32", rows: str = EXACT
) -> MappedInference:
    """Copies a generator into one for inference; arguments and result are those of `FamilyConfig.fold`."""
    copy = copy_for(generator, moments, precision)
    if not isinstance(copy, Generator):
        raise TypeError(f"A StyleGAN3 must be folded here. Received: {type(generator).__name__}")
    for dense in (*copy.mapping.layers, copy.fourier_features.affine, *(layer.style for layer in copy.filtered_layers)):
        dense.fold()
    return MappedInference(copy, rows)
