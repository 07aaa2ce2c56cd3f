"""The flags that several commands share, so that each has one name, one meaning and one help text.

A command calls one function for each of these flags that it takes. The flag then stands in the `--help` of the command
as one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

# Each flag belongs to the command that asks for it, and so does its line in --help.
flags.disclaim_key_flags()


_WORKDIR = "Folder of a run of biggan_tf.train, e.g. runs/smoke."
_FEATURES = "Network whose features are compared."


def workdir() -> flags.FlagHolder[str]:
    """`--workdir`: the folder of a run; "": none."""
    return flags.DEFINE_string("workdir", "", _WORKDIR)


def required_workdir() -> flags.FlagHolder[str]:
    """`--workdir`, without which the command ends with an error."""
    return flags.DEFINE_string("workdir", None, _WORKDIR, required=True)


def weights() -> flags.FlagHolder[str]:
    """`--weights`: published weights, in the place of a run."""
    text = "A preset (folder, name, hf://OWNER/NAME) or weights: .pth, .pkl, .safetensors or a TF-Hub port's folder."
    return flags.DEFINE_string("weights", "", text)


def raw() -> flags.FlagHolder[bool]:
    """`--raw`: which of a run's two sets of weights is used."""
    return flags.DEFINE_bool("raw", False, "Use the weights being trained, not their average.")


def truncation(exception: str = "") -> flags.FlagHolder[float | None]:
    """`--truncation`: the threshold of the latents, or psi of the styles.

    Args:
        exception: Where the default is another one, as a clause.
    """
    text = f"Threshold of latents or psi of styles, e.g. 0.5; lower: less variety. Default: none{exception}."
    return flags.DEFINE_float("truncation", None, text)


def truncation_cutoff() -> flags.FlagHolder[int | None]:
    """`--truncation_cutoff`: how many layers psi acts on."""
    text = "Truncate the first so many layers' styles alone."
    return flags.DEFINE_integer("truncation_cutoff", None, text, lower_bound=0)


def truncation_method(methods: Sequence[str]) -> flags.FlagHolder[str]:
    """`--truncation_method`: what a truncation means.

    Args:
        methods: The names to choose from, `latents.TRUNCATIONS`.
    """
    text = "How latents are truncated."
    return flags.DEFINE_enum("truncation_method", "resampling", methods, text)


def standing() -> flags.FlagHolder[int]:
    """`--standing`: whether the batch norms' moments are measured for the truncation, and how well."""
    text = "Passes in which batch norm's moments are measured first, e.g. 100; 0: take training's."
    return flags.DEFINE_integer("standing", 0, text, lower_bound=0)


def standing_or_served() -> flags.FlagHolder[int | None]:
    """`--standing` for a command that draws what a server does unless it is told otherwise."""
    text = "Passes to measure batch norm's moments in; 0: training's. Default: as a server has them."
    return flags.DEFINE_integer("standing", None, text, lower_bound=0)


def seed() -> flags.FlagHolder[int]:
    """`--seed`: decides latents and labels."""
    return flags.DEFINE_integer("seed", 0, "Any integer; decides latents and classes.")


def batch_size() -> flags.FlagHolder[int]:
    """`--batch_size`: how many images are computed at a time."""
    return flags.DEFINE_integer("batch_size", 32, "Images that are computed at a time.", lower_bound=1)


def data(use: str = "") -> flags.FlagHolder[str]:
    """`--data`: the real images.

    Args:
        use: What they are needed for, if not always.
    """
    text = f"Folder of preprocessed real images{use}, e.g. data/32; default: the run's."
    return flags.DEFINE_string("data", "", text)


def features(extractors: Sequence[str]) -> flags.FlagHolder[str]:
    """`--features`: the network whose features are compared, "efficientnet_lite0" if none is named.

    Args:
        extractors: The names to choose from, `evaluation.extractors.features.EXTRACTORS`.
    """
    return flags.DEFINE_enum("features", "efficientnet_lite0", extractors, _FEATURES)


def features_or_none(extractors: Sequence[str]) -> flags.FlagHolder[str | None]:
    """`--features` for a command that chooses a network itself if none is named.

    Args:
        extractors: The names to choose from, `evaluation.extractors.features.EXTRACTORS`.
    """
    text = f"{_FEATURES} Default: inception with --features_path, else efficientnet_lite0."
    return flags.DEFINE_enum("features", None, extractors, text)


def features_path() -> flags.FlagHolder[str]:
    """`--features_path`: the weights of that network."""
    return flags.DEFINE_string("features_path", "", "File of that network's weights, e.g. classifier.npz.")


def numbers(name: str, values: Sequence[str]) -> tuple[float, ...]:
    """The numbers of a flag that takes a list.

    Args:
        name: The flag's, for the error.
        values: What it was given.

    Raises:
        ValueError: Names the flag, if a value is no number.
    """
    try:
        return tuple(float(value) for value in values)
    except ValueError:
        raise ValueError(f"--{name} must be numbers with commas between. Received: {','.join(values)}") from None
