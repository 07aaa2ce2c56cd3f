"""BigGAN for CIFAR-10 at 32 pixels.

    python -m biggan_tf.train --config=configs/biggan_cifar10.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run at this width, 64 channels; StudioGAN reports FID 4.16 for its CIFAR-10 BigGAN.

At a quarter of the width it was trained for an hour on two CPU cores with bfloat16 units. COMMAND is the line above:

    python -m pipeline.preprocess --source=folders --input=CIFAR10_JPEGS --output=data/cifar10 --resolutions=32
    COMMAND --config.data.path=data/cifar10/32 --workdir=runs/biggan_cifar10
        --config.model.generator_channels=16 --config.model.discriminator_channels=16
        --config.game.discriminator_steps=2 --config.training.ema_decay=0.999
        --config.evaluation.every_steps=1000 --config.evaluation.num_samples=2500 --config.evaluation.num_real=5000
        --config.training.num_steps=8000

These 8,000 steps read 1.02 million real images, at 230 to 400 images a second on a machine that had other work. One can
tell cars, trucks, ships, horses and airplanes apart in examples/sheets/biggan_cifar10.png, and
examples/sheets/biggan_cifar10_curve.png shows the curve. The Fréchet distance over the features of EfficientNet-Lite0,
which is not comparable with a FID, fell to 27.8 (weights of the EMA, 2,500 samples against 5,000 images):

    step   1000  2000  3000  4000  5000  6000  7000  8000
    fd     45.8  39.9  34.0  30.6  28.7  28.3  27.8  27.8

500 steps with and without fused resampling (model.fused_resampling), one run after the other on a machine without other
work. So early, the distance of two equal runs differs by more than those below:

    resampling, policy     images/s  D loss  G loss    fd
    fused, mixed_bfloat16       419    1.67    0.22  68.9
    fused, float32              264    1.69    0.10  62.6
    plain, float32              192    1.66    0.16  75.0

Each level of the generator has its own part of z here, as in the paper (model.hierarchical). The script of
BigGAN-PyTorch for CIFAR-10 gives all of z to the first level alone. Both, at ch 16 and with 137,000 images (networks
and protocol are those of compare_cifar10.py: 10,000 samples against 10,000 images, one seed each):

    model.hierarchical    G's parameters    fd    precision  recall
    True                          0.39 M  46.6        0.684   0.084
    False                         0.47 M  49.3        0.681   0.052

The curves of the two cross on the way, at 133 to 135 after 28,000 images and at 56 to 57 after 110,000, and two seeds
of the second one are 46.1 and 50.5 in compare_cifar10.py, so that one seed does not tell them apart. The parts of z
stay, since they cost nothing and a picture can be changed by them.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.games.config import HingeConfig


def get_config() -> Config:
    config = Config(name="biggan_cifar10")
    config.model = BigGANConfig(
        resolution=32,
        z_dim=128,
        hierarchical=True,
        generator_channels=64,
        discriminator_channels=64,
        generator_attention=(),
        discriminator_attention=(),
        num_classes=10,
        initializer="normal",
        policy="auto",
    )
    config.game = HingeConfig(discriminator_steps=4, orthogonal_strength=0.0)
    training = config.training
    training.batch_size = 64
    training.num_steps = 125_000
    training.generator.learning_rate = training.discriminator.learning_rate = 2e-4
    training.ema_start_step = 1000
    return config
