"""StyleGAN2 with ADA for CIFAR-10 at 32 pixels, stylegan2_32.py narrowed for an hour on two cores.

    python -m biggan_tf.train --config=configs/stylegan2_cifar10_small.py --config.data.path=DATA --workdir=DIR

0.40 M and 0.36 M parameters: 64 channels and 128 values of z and w, a batch of 32.

An hour of two cores (AMD EPYC, AVX2, float32) was 5,080 steps at 45 images a second; the Fréchet distance over the
features of EfficientNet-Lite0 was then 72.1, and its curve wavered. examples/compare_cifar10_hour shows its samples
beside those of BigGAN, and the generator is the preset cifar10_stylegan2. Its path length over the same features is
28.8 along z and 19.1 along w (27.7 and 15.4 at the ends of paths), and its Jacobian is 39.4 and 26.4 from an isometry
(JODI): w is the smoother space.

With bfloat16 units an image took 11 ms of one core's time in mixed_bfloat16, 9 ms without ADA, which would be 170
images a second and all 20,000 steps in an hour.
"""

from biggan_tf.config import Config
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from configs import stylegan2_32


def get_config() -> Config:
    config = stylegan2_32.get_config()
    config.name = "stylegan2_cifar10_small"
    config.model = StyleGAN2Config(
        resolution=32,
        num_classes=10,
        z_dim=128,
        w_dim=128,
        mapping_layers=2,
        channel_max=64,
        discriminator_architecture="plain",
        deviation_group=32,
        policy="auto",
    )
    config.training.batch_size = 32
    config.training.num_steps = 20_000
    return config
