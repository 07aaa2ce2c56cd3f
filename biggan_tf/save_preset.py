"""Makes a preset of a run: a folder with the generator, its configuration, classes, metrics and a model card.

python -m biggan_tf.save_preset --workdir=runs/cifar10 --output=presets/cifar10 --licence=CC-BY-4.0

`biggan_tf.from_preset`, and `--weights` of the commands that take weights, read it. With `--upload=hf://OWNER/NAME` it
is uploaded as well; nothing else here reaches for the network.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from collections.abc import Sequence

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.evaluation.preset_of_run import PresetTexts, preset_of_run
from biggan_tf.presets import hub

_WORKDIR = shared_flags.required_workdir()
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the preset, e.g. presets/cifar10.", required=True)
_STEP = flags.DEFINE_integer("step", None, "Step of the checkpoint, e.g. 50000. Default: the newest.")
_NAME = flags.DEFINE_string("name", "", "What the preset is called; default: after its folder.")
_LICENCE = flags.DEFINE_string("licence", "", "Terms of the weights, e.g. CC-BY-4.0; they stand in the model card.")
_DATA_LICENCE = flags.DEFINE_string("data_licence", "", "Terms of the images of the training, for the model card.")
_DESCRIPTION = flags.DEFINE_string("description", "", "What it is, for the model card.")
_DISCRIMINATOR = flags.DEFINE_bool("discriminator", True, "Store the discriminator too, to train the preset further.")
_RESULTS = flags.DEFINE_string("results", "", "Folder of the run's results; default: WORKDIR/evaluation.")
_STANDING = flags.DEFINE_integer(
    "standing",
    None,
    "Passes to measure batch norm's moments in, which the preset is drawn and served with, e.g. 20; 0: leave them out. "
    "Default: those of the run's last export or sample, else 100.",
    lower_bound=0,
)
_UPLOAD = flags.DEFINE_string("upload", "", "Address to upload the preset to, hf://OWNER/NAME; default: nowhere.")
_PRIVATE = flags.DEFINE_bool("private", False, "With --upload: make the repository private.")


def main(argv: Sequence[str]) -> int:
    """Writes the preset and prints where it is."""
    del argv
    texts = PresetTexts(_NAME.value, _LICENCE.value, _DATA_LICENCE.value, _DESCRIPTION.value)
    try:
        for flag in (_WORKDIR, _RESULTS):
            files.require_file_system(f"--{flag.name}", flag.value)
        files.require_local(f"--{_OUTPUT.name}", _OUTPUT.value)  # presets are read through the local file system alone
        preset_of_run(
            _WORKDIR.value,
            _OUTPUT.value,
            texts,
            _STEP.value,
            _DISCRIMINATOR.value,
            _RESULTS.value,
            _STANDING.value,
            progress=True,
        )
        print(_OUTPUT.value)  # noqa: T201 - the output
        if _UPLOAD.value:
            print(hub.upload(_OUTPUT.value, _UPLOAD.value, _PRIVATE.value))  # noqa: T201
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.save_preset: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


if __name__ == "__main__":
    run()
