"""BigGAN for CIFAR-10 at 32 pixels.

    python -m biggan_tf.train --config=configs/biggan_cifar10.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run at this width; StudioGAN reports FID 4.16 for its CIFAR-10 BigGAN.

What an hour on two CPU cores with bfloat16 units gives, at a quarter of the width (COMMAND is the line above):

    python -m pipeline.preprocess --source=folders --input=CIFAR10_JPEGS --output=data/cifar10 --resolutions=32
    COMMAND --config.data.path=data/cifar10/32 --workdir=runs/biggan_cifar10
        --config.model.generator_channels=16 --config.model.discriminator_channels=16
        --config.training.discriminator_steps=2 --config.training.ema_decay=0.999
        --config.evaluation.every_steps=1000 --config.evaluation.num_samples=2500 --config.evaluation.num_real=5000
        --config.training.num_steps=8000

8,000 steps, 1.02 million real images, at 230 to 400 images a second beside other work, evaluations included. Cars,
trucks, ships, horses and airplanes tell themselves apart in examples/sheets/biggan_cifar10.png; the curve is beside it.
The distance (fd_efficientnet_lite0, which is no FID; average weights, 2,500 samples against 5,000 images):

    step   1000  2000  3000  4000  5000  6000  7000  8000
    fd     45.8  39.9  34.0  30.6  28.7  28.3  27.8  27.8

The same for 500 steps in three ways, one after the other on a quiet machine. So early, the distance varies more between
runs than between ways:

    way                    images/s  D loss  G loss    fd
    fused, mixed_bfloat16       419    1.67    0.22  68.9
    fused, float32              264    1.69    0.10  62.6
    plain, float32              192    1.66    0.16  75.0
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_cifar10")
    model = config.model
    model.resolution = 32
    model.z_dim = 128
    model.generator_channels = model.discriminator_channels = 64
    model.generator_attention = ()
    model.discriminator_attention = ()
    model.num_classes = 10
    model.initializer = "normal"
    model.policy = "auto"
    training = config.training
    training.batch_size = 64
    training.discriminator_steps = 4
    training.num_steps = 125_000
    training.generator.learning_rate = training.discriminator.learning_rate = 2e-4
    training.orthogonal_strength = 0.0
    training.ema_start_step = 1000
    return config
