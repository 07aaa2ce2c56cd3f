"""A preset of the smallest networks, and what it says."""

from biggan_tf.inference.served_moments import ServedMoments, StandingPlan
from biggan_tf.presets.preset import DataRecipe, Measurement, Preset
from biggan_tf.presets.preset_folder import write_preset
from tests.biggan_tf.training import tiny

NAMES = ("ant", "bee", "cat")
PROTOCOL = {
    "features": {"features": "inception", "sha256": "0" * 64},
    "reference": {"data_fingerprint": "f" * 8, "split": "train", "num_images": 50000},
    "samples": {"weights": "ema", "num_images": 50000, "labels": "data"},
}


def preset(config=None, names=NAMES):
    return Preset(
        config or tiny.config(),
        "tiny",
        names,
        DataRecipe("folders", "biggan-1", 8, "train", 440, "f" * 8, {"recipe": "biggan", "seed": 0}, "CC0-1.0"),
        (Measurement({"fid": 12.5}, PROTOCOL, 3, 30, "0.2.0", ("Too few samples.",)),),
        "CC-BY-4.0",
        "Three insects, one of which is a cat.",
        3,
        30,
    )


def save(folder, config=None, names=NAMES, with_discriminator=True, with_moments=False):
    """Writes the preset with fresh weights; returns the generator and the discriminator."""
    made = preset(config, names)
    generator, discriminator = made.config.model.generator(), made.config.model.discriminator()
    moments = ServedMoments(generator, StandingPlan(num_passes=1, batch_size=4)) if with_moments else None
    write_preset(folder, made, generator, discriminator if with_discriminator else None, moments)
    return generator, discriminator
