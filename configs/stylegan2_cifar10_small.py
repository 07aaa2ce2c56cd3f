"""StyleGAN2 with ADA for CIFAR-10 at 32 pixels, stylegan2_32.py narrowed for an hour on two cores.

    python -m biggan_tf.train --config=configs/stylegan2_cifar10_small.py --config.data.path=DATA --workdir=DIR

0.40 M and 0.36 M parameters: 64 channels and 128 values of z and w, a batch of 32.

Expected cost and score: not run for an hour yet. On two cores with bfloat16 units an image of a training took 11 ms of
one core's time in mixed_bfloat16, 9 ms without ADA. Without other work on the machine that would be 170 images a second
and these 20,000 steps an hour. (With eight other processes on the two cores the first 96 steps read 33 to 55 images a
second, and 18 to 32 in float32.)
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
