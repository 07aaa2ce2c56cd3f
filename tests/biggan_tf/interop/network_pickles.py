"""Small networks and their pickles in all four layouts."""

import functools
import re

import numpy as np

from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan2.discriminator import Discriminator
from biggan_tf.families.stylegan2.generator import Generator
from biggan_tf.interop import weight_map
from tests.biggan_tf.interop import hand_written_network_pickles as written

SIZES = {"resolution": 8, "z_dim": 5, "w_dim": 6, "mapping_layers": 2, "channel_base": 32, "channel_max": 4}


def stylegan2_settings(classes=3, **more):
    """The configuration by the keys of `from_state_dict`."""
    return {**SIZES, "c_dim": classes, "conv_clamp": 256, "mbstd_group_size": 4, **more}


@functools.cache
def stylegan2_state_dicts(classes=3):
    """Random weights by the names of NVIDIA's code in PyTorch, (G, D)."""
    config = StyleGAN2Config(**SIZES, num_classes=classes, clamp=256.0)
    draw = np.random.default_rng(0)
    tensors = []
    for network, entries in (
        (Generator(config), pytorch_names.generator_entries),
        (Discriminator(config), pytorch_names.discriminator_entries),
    ):
        shapes = {name: array.shape for name, array in weight_map.extract(entries(network)).items()}
        tensors.append({name: draw.standard_normal(shape).astype("f4") for name, shape in shapes.items()})
    return tensors


def ada_arguments(classes=3):
    """The arguments of StyleGAN2-ADA's constructors, (G, D)."""
    sizes = {"channel_base": 32, "channel_max": 4, "num_fp16_res": 4, "conv_clamp": 256}
    both = {"c_dim": classes, "img_resolution": 8, "img_channels": 3}
    generator = {"z_dim": 5, "w_dim": 6, **both}
    generator |= {"mapping_kwargs": written.easy_dict(num_layers=2), "synthesis_kwargs": written.easy_dict(**sizes)}
    epilogue = {"mbstd_group_size": 4}
    discriminator = {**both, **sizes, "block_kwargs": {}, "mapping_kwargs": {}, "epilogue_kwargs": epilogue}
    return generator, discriminator


def newer_arguments(classes=3):
    """The arguments of the constructors of StyleGAN3's code for StyleGAN2, (G, D)."""
    generator, discriminator = ada_arguments(classes)
    del generator["synthesis_kwargs"]
    generator |= {"channel_base": 32, "channel_max": np.int64(4), "fused_modconv_default": "inference_only"}
    return generator, discriminator


def stylegan2_file(arguments=None, state_dicts=None, protocol=4, more=None):
    """A pickle of StyleGAN2 in PyTorch."""
    g_arguments, d_arguments = arguments or ada_arguments()
    generator, discriminator = state_dicts or stylegan2_state_dicts()
    raw = {name: 2 * array for name, array in generator.items()}
    # Filters are tensors, too.
    taps = {"synthesis.b8.resample_filter": np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype("f4") / 64}
    return written.nvidia_file(
        written.nvidia_network("Generator", {**raw, **taps}, g_arguments, more),
        written.nvidia_network("Discriminator", discriminator, d_arguments, more),
        written.nvidia_network("Generator", {**generator, **taps}, g_arguments, more),
        protocol=protocol,
    )


def tensorflow_file(state_dicts, protocol=4, version=4, **more):
    """A pickle of StyleGAN2 in TensorFlow."""
    arguments = {"resolution": 8, "num_channels": 3, "label_size": 0, "fmap_base": 16, "fmap_max": 4}
    g_arguments = {**arguments, "latent_size": 5, "dlatent_size": 6, "mapping_layers": 2, "mapping_fmaps": 6}
    d_arguments = {**arguments, "mbstd_group_size": 4, **more}
    generator, discriminator = state_dicts
    named = {_tensorflow_name(name): _tensorflow_layout(name, array) for name, array in generator.items()}
    own = {"lod": np.float32(0), "dlatent_avg": named.pop("dlatent_avg")}
    parts = {part: {} for part in ("mapping", "synthesis")}
    for name, array in named.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = array
    components = {part: written.tensorflow_network(f"G_{part}", {}, variables) for part, variables in parts.items()}
    average = written.tensorflow_network("Gs", g_arguments, own, components, version)
    network = written.tensorflow_network(
        "D",
        d_arguments,
        {_tensorflow_name(name): _tensorflow_layout(name, array) for name, array in discriminator.items()},
        version=version,
    )
    return written.dump((average, network, average), protocol)


def _tensorflow_name(name):
    """The name in TensorFlow of a tensor of the code in PyTorch."""
    parts = name.split(".")
    leaf = {"affine.weight": "mod_weight", "affine.bias": "mod_bias"}.get(".".join(parts[-2:]), parts[-1])
    if parts[0] == "mapping":
        return "dlatent_avg" if leaf == "w_avg" else f"mapping/Dense{parts[1][2:]}/{leaf}"
    top = "synthesis/" if parts[0] == "synthesis" else ""
    size, layer = int(parts[1 if top else 0][1:]), parts[2 if top else 1]
    if leaf == "noise_const":
        number = 2 * size.bit_length() - 7 + int(layer == "conv1") if size > 4 else 0
        return f"synthesis/noise{number}"
    if layer == "const":
        return "synthesis/4x4/Const/const"
    if layer == "out":
        return f"Output/{leaf}"
    layers = {"conv": "Conv", "fc": "Dense0", "torgb": "ToRGB", "fromrgb": "FromRGB", "skip": "Skip"}
    if top:
        layers |= {"conv0": "Conv0_up", "conv1": "Conv" if size == 4 else "Conv1"}
    else:
        layers |= {"conv0": "Conv0", "conv1": "Conv1_down"}
    return f"{top}{size}x{size}/{layers[layer]}/{leaf}"


def _tensorflow_layout(name, array):
    if name.endswith("affine.bias"):
        return array - 1
    if name.endswith(".const"):
        return array[None]
    if name.endswith("noise_const"):
        return array[None, None]
    if array.ndim == 4:
        kernel = array.transpose(2, 3, 1, 0)
        return kernel[::-1, ::-1] if re.match(r"synthesis\.b\d+\.conv0\.", name) else kernel
    return array.transpose() if array.ndim == 2 else array


def stylegan3_file(protocol=4, **more):
    """A pickle of a StyleGAN3 that is no network: its tensors have the right names and small shapes. (file, G's)"""
    draw = np.random.default_rng(0)
    names = ("input.weight", "input.freqs", "L0_36_4.weight", "L0_36_4.magnitude_ema", "L0_36_4.affine.bias")
    tensors = {f"synthesis.{name}": draw.standard_normal((2, 3)).astype("f4") for name in names}
    tensors |= {"mapping.w_avg": np.zeros(6, "f4"), "mapping.fc0.weight": np.ones((6, 5), "f4")}
    arguments = {"z_dim": 5, "c_dim": 0, "w_dim": 6, "img_resolution": 16, "img_channels": 3, "num_layers": 6}
    arguments |= {"magnitude_ema_beta": np.float64(0.99), "mapping_kwargs": written.easy_dict(num_layers=2), **more}
    d_arguments = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 16384}
    critic = {"b16.conv0.weight": np.ones((1, 1, 3, 3), "f4")}
    generator = written.nvidia_network("Generator", tensors, arguments)
    discriminator = written.nvidia_network("Discriminator", critic, d_arguments, {"b16.conv0": {"conv_clamp": 256}})
    return written.nvidia_file(generator, discriminator, protocol=protocol), tensors


def r3gan_file(package="R3GAN", module="training.networks", protocol=4):
    """A pickle of a small R3GAN, and its tensors: (file, G's, D's)."""
    widths, groups, expansion = (4, 2), (2, 1), 2
    generator, discriminator = {}, {}
    more = {"": {"z_dim": 5, "c_dim": 3, "img_resolution": 8}}
    for stage, (width, group) in enumerate(zip(widths, groups, strict=True)):
        for tensors, index, block in ((generator, stage, 1), (discriminator, 1 - stage, 0)):
            place = f"MainLayers.{index}.Layers.{block}"
            inner = expansion * width
            tensors[f"{place}.LinearLayer1.Layer.weight"] = np.ones((inner, width, 1, 1), "f4")
            tensors[f"{place}.LinearLayer2.Layer.weight"] = np.ones((inner, inner // group, 3, 3), "f4")
            tensors[f"{place}.LinearLayer3.Layer.weight"] = np.ones((width, inner, 1, 1), "f4")
            tensors[f"{place}.NonLinearity1.Bias"] = np.ones(inner, "f4")
            key = "G" if tensors is generator else "D"
            convolution = {"kernel_size": (3, 3), "groups": group, "in_channels": inner, "out_channels": inner}
            more[f"{key}Model.{place}.LinearLayer1.Layer"] = {"in_channels": width, "out_channels": inner}
            more[f"{key}Model.{place}.LinearLayer2.Layer"] = convolution
    generator["MainLayers.0.Layers.0.Basis"] = np.ones((4, 4, 4), "f4")
    generator["MainLayers.1.Layers.0.Resampler.Kernel"] = np.ones((4, 4), "f4")
    for tensors in (generator, discriminator):
        tensors["EmbeddingLayer.weight"] = np.ones((5 if tensors is generator else 4, 3), "f4")
    files = []
    for kind, tensors in (("Generator", generator), ("Discriminator", discriminator)):
        own = {path.removeprefix(kind[0]): value for path, value in more.items() if path[:1] in ("", kind[0])}
        own["Model.EmbeddingLayer"] = {"in_features": 3, "out_features": 5 if kind == "Generator" else 4}
        own["Model.MainLayers.0"] = {"DataType": written.Name("torch", "bfloat16")}
        files.append(written.r3gan_network(kind, tensors, own, package, module))
    root = {"G": files[0], "D": files[1], "G_ema": files[0], "cur_nimg": 7, "D_opt_state": {"state": {0: {}}}}
    return written.dump(root, protocol), generator, discriminator


def tiny_files():
    """A file of each layout that is no whole network, with few tensors: what changes of bytes begin with."""
    draw = np.random.default_rng(0)
    names = {"mapping.w_avg": (6,), "synthesis.b8.conv1.weight": (1, 2, 3, 3), "synthesis.b8.conv1.noise_strength": ()}
    tensors = {name: draw.standard_normal(shape).astype("f4") for name, shape in names.items()}
    critic = {"b8.conv0.weight": np.ones((1, 1, 3, 3), "f2")}
    ada = written.nvidia_file(
        written.nvidia_network("Generator", tensors, ada_arguments()[0]),
        written.nvidia_network("Discriminator", critic, ada_arguments()[1]),
        protocol=3,
    )
    arguments = {"resolution": 8, "fmap_base": 16, "fmap_max": 4, "label_size": 0}
    parts = {
        "mapping": written.tensorflow_network("G_mapping", {}, {"Dense0/weight": np.ones((2, 3), "f4")}),
        "synthesis": written.tensorflow_network(
            "G_synthesis", {}, {"8x8/Conv0_up/weight": np.ones((3, 3, 1, 2), "f4")}
        ),
    }
    variables = {"lod": np.float32(0), "dlatent_avg": np.zeros(2, ">f4")}
    average = written.tensorflow_network("Gs", {**arguments, "latent_size": 5}, variables, parts)
    other = written.tensorflow_network("D", arguments, {"Output/weight": np.asfortranarray(np.ones((2, 3), "f8"))})
    return {
        "ada": ada,
        "protocol_2": written.dump({"G_ema": written.nvidia_network("Generator", tensors, ada_arguments()[0])}, 2),
        "stylegan3": stylegan3_file()[0],
        "tensorflow": written.dump((average, other, average)),
        "r3gan": r3gan_file()[0],
    }
