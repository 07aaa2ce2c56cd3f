"""Loads published weights of any kind by the name of their file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biggan_tf import interop
from biggan_tf.interop.weights_file_error import WeightsFileError

if TYPE_CHECKING:
    from biggan_tf.contracts.discriminator import Discriminator
    from biggan_tf.contracts.generator import Generator


def load_published(
    weights: str, ema: bool = True, with_discriminator: bool = False
) -> tuple[Generator, Discriminator | None]:
    """Loads the networks of a file, whose name says how it is read, or of a folder.

    Args:
        weights: A .pkl of StyleGAN2, StyleGAN3 or R3GAN, a .safetensors file, a folder of the TF-Hub port, or, under
            any other name, a file of the PyTorch BigGAN, which holds a generator alone.
        ema: Whether to load the moving average of a .pkl's generator; False: the weights that were being trained.
        with_discriminator: Whether to load the discriminator, too, where there is one.

    Returns:
        (generator, discriminator), with None for a discriminator that was not asked for or is not there.

    Raises:
        WeightsFileError: If there is no such file, or it is damaged, or holds no generator.
    """
    generator: Generator | None
    discriminator: Discriminator | None = None
    if not Path(weights).exists():
        raise WeightsFileError(
            f"Weights must be a file or folder that is there. Received: {weights}; nothing is downloaded, and "
            "docs/how_to/import_weights.md says where published weights are."
        )
    if Path(weights).is_dir():
        generator = interop.load_tfhub_port(weights)
    elif weights.endswith(".pkl"):
        part = "G_ema" if ema else "G"
        generator, discriminator = interop.load_pickle(weights, part, "D" if with_discriminator else None)
    elif weights.endswith(".safetensors"):
        generator, discriminator = interop.load_safetensors(weights)
    else:
        generator, _ = interop.load_biggan_pytorch(generator=weights)
    if generator is None:
        raise WeightsFileError(f"{weights} must hold a generator. Received: none")
    return generator, discriminator if with_discriminator else None
