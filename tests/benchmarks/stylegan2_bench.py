"""StyleGAN2's passes and phases beside NVIDIA's own PyTorch code with its reference operations, on the CPU.

    NVIDIA_STYLEGAN=FOLDER TORCH_PYTHON=PYTHON python -m tests.benchmarks.run stylegan2

FOLDER is a checkout of github.com/NVlabs/stylegan3, PYTHON an interpreter that has PyTorch.
"""

from collections.abc import Iterator

import numpy as np

from biggan_tf.config import Config
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import StyleGAN2GameConfig
from tests.benchmarks import side_by_side
from tests.benchmarks.trained_networks import TrainedNetworks

TITLE = (
    "StyleGAN2, config F in float32, against NVIDIA's PyTorch code with its reference operations: "
    f"{side_by_side.COLUMNS}"
)
SIZES = ((32, 32768, 8), (256, 16384, 4))  # pixels, channel base, batch
# How often a phase comes in 16 steps of training.
IN_16_STEPS = {"G step": 16, "path length step": 4, "D step": 16, "R1 step": 1}


def config(pixels: int, channel_base: int, batch: int) -> Config:
    """What is trained: as their train.py does."""
    made = Config(name="bench")
    made.model = StyleGAN2Config(resolution=pixels, channel_base=channel_base, policy="float32")
    made.game = StyleGAN2GameConfig(r1_gamma=10.0)
    made.training.batch_size = batch
    for optimizer in (made.training.generator, made.training.discriminator):
        optimizer.learning_rate, optimizer.beta_2 = 2e-3, 0.99
    return made


def measure(sizes=SIZES) -> Iterator[dict]:
    """A row for each size and kind of work, and one for the mean step of a training."""
    theirs = side_by_side.Theirs.from_environment("torch_stylegan2", "NVIDIA_STYLEGAN")
    for size in sizes:
        pixels, channel_base, batch = size
        ours = TrainedNetworks(config(*size), tuple(IN_16_STEPS), whole_step=False)
        if theirs is not None:
            theirs.build(ours.parameters(), pixels=pixels, channel_base=channel_base, batch=batch)
        about, rounds = {"pixels": pixels, "batch": batch}, {}
        for row, measured in side_by_side.rows(ours, theirs, about):
            rounds[row["work"]] = measured
            yield row
        mean_step = [
            {
                code: list(
                    sum(count * np.array(rounds[work][number][code]) for work, count in IN_16_STEPS.items()) / 16
                )
                for code in rounds["G step"][number]
            }
            for number in range(side_by_side.ROUNDS)
        ]
        yield side_by_side.row(batch, {**about, "work": "mean training step"}, mean_step)
