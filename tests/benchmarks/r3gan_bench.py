"""R3GAN's passes and updates beside the authors' PyTorch code with its reference operations, on the CPU.

    R3GAN_PYTORCH=FOLDER TORCH_PYTHON=PYTHON python -m tests.benchmarks.run r3gan

FOLDER is a checkout of github.com/brownvc/R3GAN, PYTHON an interpreter that has PyTorch.
"""

from collections.abc import Iterator

from biggan_tf.config import Config
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.games.config import R3GANGameConfig
from tests.benchmarks import precisions, side_by_side
from tests.benchmarks.trained_networks import TrainedNetworks

TITLE = (
    "R3GAN with classes and without augmentation against the authors' PyTorch code, in float32 and, where that is "
    f"faster here, with all stages but that of 4x4 in bfloat16: {side_by_side.COLUMNS}; step = a D step, a G step and "
    "the moving average"
)
# Widths of the four stages at 32 pixels, from 4x4 on, groups of their 3x3 convolutions, batch; the second is the preset
# for CIFAR-10.
SIZES = (((192,) * 4, (24,) * 4, 16), ((768,) * 4, (96,) * 4, 8))
CLASSES = 10


def config(widths: tuple[int, ...], cardinalities: tuple[int, ...], batch: int, policy: str) -> Config:
    """What is trained: as their train.py does, but for the augmentation and the schedules."""
    made = Config(name="bench")
    made.model = R3GANConfig(
        resolution=2 << len(widths),
        num_classes=CLASSES,
        widths=widths,
        cardinalities=cardinalities,
        blocks=(2,) * len(widths),
        policy=policy,
    )
    made.game = R3GANGameConfig(gamma=0.05)
    made.training.batch_size = batch
    for optimizer in (made.training.generator, made.training.discriminator):
        optimizer.learning_rate, optimizer.beta_2 = 2e-4, 0.9
    return made


def measure(sizes=SIZES) -> Iterator[dict]:
    """A row for each size, precision and kind of work."""
    theirs = side_by_side.Theirs.from_environment("torch_r3gan", "R3GAN_PYTORCH")
    for widths, cardinalities, batch in sizes:
        for policy in precisions.worth_timing():
            made = config(widths, cardinalities, batch, policy)
            ours = TrainedNetworks(made, ("D step", "G step"))
            if theirs is not None:
                theirs.build(
                    ours.parameters(), pixels=made.model.resolution, widths=widths, cardinalities=cardinalities,
                    blocks=made.model.blocks, batch=batch, classes=CLASSES, half=policy != "float32",
                )  # fmt: skip
            about = {"pixels": made.model.resolution, "width": widths[0], "batch": batch, "policy": policy}
            yield from (row for row, _ in side_by_side.rows(ours, theirs, about))
