"""Where the public BigGANs differ, side by side. `BigGANConfig.reference` names a column of this table.

| | paper | ajbrock | compare_gan | tfhub |
|---|---|---|---|---|
| doubling the image | nearest | nearest | zero insertion | nearest |
| gain of conditional batch norm | 1 + dense | 1 + dense | dense | 1 + dense |
| condition of a block | embedding, z | embedding, z | z, embedding | z, embedding |
| D's shortcut where in == out | identity, 1x1 | identity, 1x1 | none | identity, 1x1 |
| D's channels at 32 pixels | 4 4 4 4 ch | 4 4 4 4 ch | 2 2 2 2 ch | 4 4 4 4 ch |
| D's channels at 64 pixels | 1 2 4 8 16 ch | 1 2 4 8 16 ch | 2 4 8 16 16 ch | 1 2 4 8 16 ch |
| D's levels that halve 32 pixels | 2 | 2 | 3 | 2 |
| batch norm's epsilon | 1e-5 | 1e-5 | 1e-5 | 1e-4 |
| that of the generator's last one | the same | 1e-5 | the same | the same |
| running variance | unbiased | unbiased | biased | unbiased |
| spectral norm's epsilon | 1e-6 | 1e-6 | 1e-12 | 1e-4 |
| normalisation in it | x / max(norm, eps) | x / max(norm, eps) | x / max(norm, eps) | x / (norm + eps) |
| RGB convolution of deep | 3 outputs | 3 outputs | 3 outputs | ch outputs, 3 kept |
| EMA of G's running moments and u | averaged | averaged | copied | averaged |

The PyTorch BigGAN (ajbrock) hands its BN_eps to the blocks alone: the batch norm before the RGB convolution keeps 1e-5
whatever the others have. The two differ only where `model.batch_norm_epsilon` is set.

compare_gan feeds images in [0, 1] and begins D with a ReLU, which does nothing to them; here images lie in [-1, 1] and
D begins with the convolution in every variant. Its deep networks are 128 channels wide and attend at 64 pixels; the
recipes take the paper's table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.layer_options import BatchNormOptions, SpectralNormOptions


@dataclasses.dataclass(frozen=True)
class Variant:
    """One column of the table above; the defaults are the paper's.

    Attributes:
        upsampling: How a block of the generator doubles its image: "nearest" or "zero_insertion".
        gain_base: What conditional batch norm adds to its predicted gain.
        latent_first: Whether the condition of a block is z and then the class embedding, or the other way round.
        equal_channels_shortcut: What the discriminator's blocks have where input and output channels agree:
            "identity", which a 1x1 convolution replaces where the block halves the image, or "none".
        discriminator_channels: The rows of `tables.DISCRIMINATOR_CHANNELS` that the variant has instead, by resolution.
        halvings_of_32_pixels: How many of the discriminator's levels halve the image at a resolution of 32; they are
            the first ones.
        batch_norm_epsilon: Is added to the variance.
        last_batch_norm_epsilon: What the batch norm before the RGB convolution adds to the variance; None: as much as
            the others.
        unbiased_running_variance: Whether the running variance is n / (n - 1) times that of the batches.
        spectral_norm_epsilon: Keeps the divisions of the power iteration finite.
        additive_epsilon: Whether these divide by |x| + epsilon in training, and not by max(|x|, epsilon).
        full_rgb_kernel: Whether the RGB convolution of the deep generator has ch outputs, of which 3 are used.
        averages_buffers: Whether the moving average of the generator (EMA) averages its running moments and its u as it
            does its weights; otherwise it copies them.
    """

    upsampling: str = "nearest"
    gain_base: float = 1.0
    latent_first: bool = False
    equal_channels_shortcut: str = "identity"
    discriminator_channels: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    halvings_of_32_pixels: int = 2
    batch_norm_epsilon: float = 1e-5
    last_batch_norm_epsilon: float | None = None
    unbiased_running_variance: bool = True
    spectral_norm_epsilon: float = 1e-6
    additive_epsilon: bool = False
    full_rgb_kernel: bool = False
    averages_buffers: bool = True

    def spectral_norm_options(self, model: BigGANConfig, enabled: bool = True) -> SpectralNormOptions:
        """The options of every layer with a kernel; the generator's shared embedding alone is not `enabled`."""
        return SpectralNormOptions(
            kernel_initializer=model.initializer,
            epsilon=self.spectral_norm_epsilon,
            additive_epsilon=self.additive_epsilon,
            enabled=enabled,
        )

    def batch_norm_options(self, model: BigGANConfig, num_statistics: int = 1) -> BatchNormOptions:
        """The options of the batch norms in the generator's blocks.

        Args:
            model: The configuration of the networks.
            num_statistics: How many sets of moments each batch norm stores, see `BatchNormOptions`.
        """
        return BatchNormOptions(
            epsilon=self.batch_norm_epsilon,
            momentum=model.batch_norm_momentum,
            unbiased=self.unbiased_running_variance,
            group_size=model.batch_norm_group_size,
            num_statistics=num_statistics,
        )

    def last_batch_norm_options(self, model: BigGANConfig, num_statistics: int = 1) -> BatchNormOptions:
        """The options of the batch norm before the RGB convolution; the arguments are those of `batch_norm_options`."""
        options = self.batch_norm_options(model, num_statistics)
        if self.last_batch_norm_epsilon is None:
            return options
        return dataclasses.replace(options, epsilon=self.last_batch_norm_epsilon)


VARIANTS = {
    "paper": Variant(),
    "ajbrock": Variant(last_batch_norm_epsilon=1e-5),
    "compare_gan": Variant(
        upsampling="zero_insertion",
        gain_base=0.0,
        latent_first=True,
        equal_channels_shortcut="none",
        discriminator_channels={32: (2, 2, 2, 2), 64: (2, 4, 8, 16, 16)},
        halvings_of_32_pixels=3,
        unbiased_running_variance=False,
        spectral_norm_epsilon=1e-12,
        averages_buffers=False,
    ),
    "tfhub": Variant(
        latent_first=True,
        batch_norm_epsilon=1e-4,
        spectral_norm_epsilon=1e-4,
        additive_epsilon=True,
        full_rgb_kernel=True,
    ),
}


def variant_of(model: BigGANConfig) -> Variant:
    """The variant that `model.reference` names, with the epsilons that the configuration sets itself."""
    own = {
        name: getattr(model, name)
        for name in ("batch_norm_epsilon", "spectral_norm_epsilon")
        if getattr(model, name) is not None
    }
    return dataclasses.replace(VARIANTS[model.reference], **own)
