"""StyleGAN2's networks in TensorFlow (NVlabs/stylegan2), as the configuration and state dicts of the code in PyTorch.

The two codes differ in what they call a parameter and how it lies: kernels of linear layers and convolutions are
transposed, those of convolutions that double the image are flipped along both axes of the image, and the biases of
styles have the 1 added that the older code adds whenever it computes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from biggan_tf.interop.constructor_arguments import Arguments
from biggan_tf.interop.nested_storages import Stored
from biggan_tf.interop.network_modules import Module, module_of
from biggan_tf.interop.numpy_records import NumpyArray
from biggan_tf.interop.nvidia_networks import FILTERS, MAX_LAYERS, MAX_RESOLUTION, Settings
from biggan_tf.interop.tensor_refs import MAX_TENSORS
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

Arrays: TypeAlias = dict[str, np.ndarray]
_VERSIONS = (2, 3, 4)
_MAX_COMPONENTS = 16


def generator_settings(network: Module) -> Settings:
    """The configuration of a generator by the keys of `from_state_dict`.

    Args:
        network: A network G or Gs.

    Raises:
        WeightsFileError: If it was built with an argument that has no counterpart here; the error names it.
    """
    given = _arguments(network)
    settings = _shared_settings(given)
    settings |= {
        "z_dim": given.integer("latent_size", 512, 1),
        "w_dim": given.integer("dlatent_size", 512, 1),
        "mapping_layers": given.integer("mapping_layers", 8, 1, MAX_LAYERS),
    }
    decay = given.optional_number("w_avg_beta", given.optional_number("dlatent_avg_beta", 0.995))
    settings["w_avg_beta"] = 1.0 if decay is None else decay
    given.require("architecture", "skip")
    given.require("use_noise", True)
    given.require("normalize_latents", True)
    given.require("mapping_nonlinearity", "lrelu")
    given.require("mapping_lrmul", 0.01)
    given.require("mapping_fmaps", None, settings["w_dim"])
    given.drop("truncation_psi", "truncation_cutoff", "truncation_psi_val", "truncation_cutoff_val", "randomize_noise")
    given.drop("style_mixing_prob", "mapping_func", "synthesis_func", "return_dlatents")
    given.finish()
    return settings


def discriminator_settings(network: Module) -> Settings:
    """The configuration of a discriminator; see `generator_settings`."""
    given = _arguments(network)
    settings = _shared_settings(given)
    settings |= {
        "architecture": given.text("architecture", "resnet", ("resnet", "orig")),
        "mbstd_group_size": given.integer("mbstd_group_size", 4, 1),
        "mbstd_num_channels": given.integer("mbstd_num_features", 1),
    }
    given.finish()
    return settings


def variables(network: Module) -> dict[str, Stored]:
    """The arrays of a network and of its components, whose names come first, as in "synthesis/noise0"."""
    found: dict[str, Stored] = {}
    components = network.attributes.get("components", {})
    if not isinstance(components, dict) or len(components) > _MAX_COMPONENTS:
        raise WeightsFileError(f"{network.place} must have a dict of components. Received: {shown(components)}")
    parts = [("", network)]
    parts += [(f"{name}/", module_of(part, f"{network.place}.{name}")) for name, part in components.items()]
    for prefix, part in parts:
        listed = part.attributes.get("variables", [])
        if not isinstance(listed, list) or len(listed) > MAX_TENSORS:
            raise WeightsFileError(f"{part.place} must have a list of variables. Received: {shown(listed)}")
        for entry in listed:
            match entry:
                case (str() as name, NumpyArray() as array) if f"{prefix}{name}" not in found:
                    found[f"{prefix}{name}"] = array
                case (str(), int() | float()):
                    pass  # A number is no parameter: "lod", how far a network had grown.
                case _:
                    raise WeightsFileError(f"{part.place} has a variable that cannot be: {shown(entry)}")
    return found


def generator_state_dict(arrays: Arrays, place: str) -> Arrays:
    """The variables of a generator by the names and in the layouts of PyTorch.

    Args:
        arrays: The variables by their names in TensorFlow.
        place: What errors call the network.
    """
    return _renamed(arrays, _GENERATOR, place)


def discriminator_state_dict(arrays: Arrays, place: str) -> Arrays:
    """The variables of a discriminator; see `generator_state_dict`."""
    return _renamed(arrays, _DISCRIMINATOR, place)


def _arguments(network: Module) -> Arguments:
    version, given = network.attributes.get("version"), network.attributes.get("static_kwargs")
    if version not in _VERSIONS or not isinstance(given, dict):
        raise WeightsFileError(
            f"{network.place} must be a network of StyleGAN2 of version {' or '.join(map(str, _VERSIONS))} with its "
            f"static_kwargs. Received: version {shown(version)} with {shown(given)}"
        )
    return Arguments(given, network.place)


def _shared_settings(given: Arguments) -> Settings:
    """What both networks are built with, and what must have one value in both."""
    resolution = given.integer("resolution", 1024, 4, MAX_RESOLUTION)
    settings = {
        "resolution": resolution,
        # The older code counts channels from half of the resolution.
        "channel_base": 2 * given.integer("fmap_base", 16384, resolution // 2),
        "channel_max": given.integer("fmap_max", 512, 1),
        "conv_clamp": given.optional_number("conv_clamp"),
        "c_dim": 0,
    }
    # Its classes enter both networks in other places than ours.
    given.require("label_size", 0)
    given.require("num_channels", 3)
    given.require("fmap_decay", 1.0, 1)
    given.require("fmap_min", 1)
    given.require("nonlinearity", "lrelu")
    given.require("resample_kernel", *FILTERS)
    given.require("normalization", None)
    given.drop("structure", "conditioning", "fused_modconv", "num_fp16_res", "dtype", "func_name", "impl")
    return settings


def _linear(array: np.ndarray) -> np.ndarray:
    return array.transpose()


def _kernel(array: np.ndarray) -> np.ndarray:
    return array.transpose(3, 2, 0, 1)


def _flipped_kernel(array: np.ndarray) -> np.ndarray:
    return _kernel(array[::-1, ::-1])


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _style_bias(array: np.ndarray) -> np.ndarray:
    return array + 1


def _first(array: np.ndarray) -> np.ndarray:
    return array[0]


def _noise(array: np.ndarray) -> np.ndarray:
    return array[0, 0]


def _noise_name(number: str) -> str:
    """Noise 0 is that of 4x4, then come two of each resolution."""
    if number == "0":
        return "synthesis.b4.conv1.noise_const"
    level, second = divmod(int(number) - 1, 2)
    return f"synthesis.b{8 << level}.conv{second}.noise_const"


_Rule: TypeAlias = tuple[str, Callable[..., str], Callable[[np.ndarray], np.ndarray]]


def _styled(theirs: str, ours: str, kernel: Callable[[np.ndarray], np.ndarray]) -> list[_Rule]:
    """The rules for a layer with a style.

    Args:
        theirs: The pattern of the layer's name, whose one group is its resolution.
        ours: The layer's name below its block.
        kernel: What is done to its kernel.
    """

    def name(part: str) -> Callable[[str], str]:
        return lambda size: f"synthesis.b{size}.{ours}.{part}"

    return [
        (f"{theirs}/weight", name("weight"), kernel),
        (f"{theirs}/bias", name("bias"), _same),
        (f"{theirs}/noise_strength", name("noise_strength"), _same),
        (f"{theirs}/mod_weight", name("affine.weight"), _linear),
        (f"{theirs}/mod_bias", name("affine.bias"), _style_bias),
    ]


_SIZE = r"(\d{1,4})x\1"
_GENERATOR: list[_Rule] = [
    ("dlatent_avg", lambda: "mapping.w_avg", _same),
    (r"mapping/Dense(\d{1,2})/weight", lambda number: f"mapping.fc{number}.weight", _linear),
    (r"mapping/Dense(\d{1,2})/bias", lambda number: f"mapping.fc{number}.bias", _same),
    ("synthesis/4x4/Const/const", lambda: "synthesis.b4.const", _first),
    (r"synthesis/noise(0|[1-9]\d?)", _noise_name, _noise),
    *_styled("synthesis/(4)x4/Conv", "conv1", _kernel),
    *_styled(f"synthesis/{_SIZE}/Conv0_up", "conv0", _flipped_kernel),
    *_styled(f"synthesis/{_SIZE}/Conv1", "conv1", _kernel),
    *_styled(f"synthesis/{_SIZE}/ToRGB", "torgb", _kernel),
]
_DISCRIMINATOR: list[_Rule] = [
    (f"{_SIZE}/FromRGB/weight", lambda size: f"b{size}.fromrgb.weight", _kernel),
    (f"{_SIZE}/FromRGB/bias", lambda size: f"b{size}.fromrgb.bias", _same),
    (f"{_SIZE}/Conv0/weight", lambda size: f"b{size}.conv0.weight", _kernel),
    (f"{_SIZE}/Conv0/bias", lambda size: f"b{size}.conv0.bias", _same),
    (f"{_SIZE}/Conv1_down/weight", lambda size: f"b{size}.conv1.weight", _kernel),
    (f"{_SIZE}/Conv1_down/bias", lambda size: f"b{size}.conv1.bias", _same),
    (f"{_SIZE}/Skip/weight", lambda size: f"b{size}.skip.weight", _kernel),
    ("4x4/Conv/weight", lambda: "b4.conv.weight", _kernel),
    ("4x4/Conv/bias", lambda: "b4.conv.bias", _same),
    ("4x4/Dense0/weight", lambda: "b4.fc.weight", _linear),
    ("4x4/Dense0/bias", lambda: "b4.fc.bias", _same),
    ("Output/weight", lambda: "b4.out.weight", _linear),
    ("Output/bias", lambda: "b4.out.bias", _same),
]
# How many axes a variable must have for a change.
_RANKS: dict[Callable[[np.ndarray], np.ndarray], int] = {
    _linear: 2,
    _kernel: 4,
    _flipped_kernel: 4,
    _first: 4,
    _noise: 4,
}


def _renamed(arrays: Arrays, rules: list[_Rule], place: str) -> Arrays:
    renamed: Arrays = {}
    for name, array in arrays.items():
        if name == "lod":  # how far a network has grown; all of these are grown up
            continue
        found = [(rule, match) for rule in rules if (match := re.fullmatch(rule[0], name, re.ASCII))]
        if not found:
            raise WeightsFileError(f"{place} has a variable that has no counterpart here: {shown_name(name)}")
        (_, rename, change), match = found[0]
        rank = _RANKS.get(change, array.ndim)
        if array.ndim != rank or (change in (_first, _noise) and 0 in array.shape):
            raise WeightsFileError(
                f"{place} must have a variable {shown_name(name)} of {rank} axes that are not empty. "
                f"Received: shape {shown(array.shape)}"
            )
        renamed[rename(*match.groups())] = change(array)
    return renamed
