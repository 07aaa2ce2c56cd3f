"""Where the public BigGANs differ, side by side. `ModelConfig.reference` picks a row.

| | paper | ajbrock | compare_gan | tfhub |
|---|---|---|---|---|
| doubling the image | nearest | nearest | zero insertion | nearest |
| gain of conditional batch norm | 1 + dense | 1 + dense | dense | 1 + dense |
| condition of a block | embedding, z | embedding, z | z, embedding | z, embedding |
| D's shortcut where in == out | identity, 1x1 | identity, 1x1 | none | identity, 1x1 |
| batch norm's epsilon | 1e-5 | 1e-5 | 1e-5 | 1e-4 |
| that of the generator's last one | the same | 1e-5 | the same | the same |
| running variance | unbiased | unbiased | biased | unbiased |
| spectral norm's epsilon | 1e-6 | 1e-6 | 1e-12 | 1e-4 |
| normalisation in it | x / max(norm, eps) | x / max(norm, eps) | x / max(norm, eps) | x / (norm + eps) |
| RGB convolution of deep | 3 outputs | 3 outputs | 3 outputs | ch outputs, 3 kept |

The PyTorch BigGAN (ajbrock) hands its BN_eps to the blocks alone: the batch norm before the RGB convolution keeps 1e-5
whatever the others have. The two differ only where `model.batch_norm_epsilon` is set.

compare_gan feeds images in [0, 1] and begins D with a ReLU, which does nothing to them; here images lie in [-1, 1] and
D begins with the convolution in every row. Its deep networks are 128 channels wide and attend at 64 pixels; the recipes
take the paper's table.
"""

from __future__ import annotations

import dataclasses

from biggan_tf.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class Conventions:
    """One column of the table above."""

    upsampling: str = "nearest"
    gain_base: float = 1.0
    latent_first: bool = False
    equal_channels_shortcut: str = "identity"
    batch_norm_epsilon: float = 1e-5
    last_batch_norm_epsilon: float | None = None  # of the generator's tail; None: as the others
    unbiased_running_variance: bool = True
    spectral_norm_epsilon: float = 1e-6
    additive_epsilon: bool = False
    full_rgb_kernel: bool = False


REFERENCES = {
    "paper": Conventions(),
    "ajbrock": Conventions(last_batch_norm_epsilon=1e-5),
    "compare_gan": Conventions(
        upsampling="zero_insertion",
        gain_base=0.0,
        latent_first=True,
        equal_channels_shortcut="none",
        unbiased_running_variance=False,
        spectral_norm_epsilon=1e-12,
    ),
    "tfhub": Conventions(
        latent_first=True,
        batch_norm_epsilon=1e-4,
        spectral_norm_epsilon=1e-4,
        additive_epsilon=True,
        full_rgb_kernel=True,
    ),
}


def conventions_of(model: ModelConfig) -> Conventions:
    """The row of `model.reference`, with the epsilons that the configuration sets itself."""
    own = {
        name: getattr(model, name)
        for name in ("batch_norm_epsilon", "spectral_norm_epsilon")
        if getattr(model, name) is not None
    }
    return dataclasses.replace(REFERENCES[model.reference], **own)
