"""The folder of a run that was saved once, for the tests of exports."""

from biggan_tf.config import to_dict
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN


def save(workdir, config):
    """Saves the fresh weights of a GAN as the checkpoint after step 3, with 30 images seen and an FID of 12.5."""
    record = checkpoint_files.CheckpointSummary(3, 30, to_dict(config), metrics={"fid": 12.5})
    Checkpoints(str(workdir), config, GAN(config).state()).save(record)
