"""BigGAN's passes and updates beside the PyTorch code of its author, on the CPU.

    BIGGAN_PYTORCH=FOLDER TORCH_PYTHON=PYTHON python -m tests.benchmarks.run biggan

FOLDER is a checkout of github.com/ajbrock/BigGAN-PyTorch, PYTHON an interpreter that has PyTorch.
"""

from collections.abc import Iterator

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.games.config import HingeConfig
from tests.benchmarks import precisions, side_by_side
from tests.benchmarks.trained_networks import TrainedNetworks

TITLE = (
    "BigGAN against the PyTorch BigGAN, in float32 and, where that is faster here, in mixed_bfloat16 against its "
    "autocast to bfloat16: "
    f"{side_by_side.COLUMNS}; step = two D steps, a G step and the moving average"
)
SIZES = ((32, 16, 16), (32, 64, 16), (128, 16, 8), (128, 64, 4))  # pixels, ch, batch
CLASSES, DISCRIMINATOR_STEPS = 100, 2


def config(pixels: int, channels: int, batch: int, policy: str) -> Config:
    """What is trained: as the launch scripts of that code do it."""
    made = Config(name="bench")
    attention = (64,) if pixels == 128 else ()
    made.model = BigGANConfig(
        reference="ajbrock",
        resolution=pixels,
        num_classes=CLASSES,
        z_dim=20 * (pixels.bit_length() - 2),
        generator_channels=channels,
        discriminator_channels=channels,
        generator_attention=attention,
        discriminator_attention=attention,
        initializer="normal",
        policy=policy,
    )
    made.game = HingeConfig(discriminator_steps=DISCRIMINATOR_STEPS, orthogonal_strength=0.0)
    made.training.batch_size = batch
    return made


def measure(sizes=SIZES) -> Iterator[dict]:
    """A row for each size, precision and kind of work."""
    theirs = side_by_side.Theirs.from_environment("torch_biggan", "BIGGAN_PYTORCH")
    for pixels, channels, batch in sizes:
        for policy in precisions.worth_timing():
            made = config(pixels, channels, batch, policy)
            ours = TrainedNetworks(made, ("D step", "G step"))
            if theirs is not None:
                theirs.build(
                    ours.parameters(), pixels=pixels, channels=channels, batch=batch, classes=CLASSES,
                    z_dim=made.model.z_dim, attention="64" if pixels == 128 else "0",
                    discriminator_steps=DISCRIMINATOR_STEPS, half=policy != "float32",
                )  # fmt: skip
            about = {"pixels": pixels, "ch": channels, "batch": batch, "policy": policy}
            yield from (row for row, _ in side_by_side.rows(ours, theirs, about))
