"""Files in the published formats, with weights of our own making, for the README's commands."""

import numpy as np

from biggan_tf.evaluation.extractors import inception
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.pytorch_weights import save_biggan_pytorch
from biggan_tf.interop.torch_files import write_state_dict
from tests.biggan_tf.families.biggan import hub_port
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.interop import network_pickles


def write_hub_port(folder):
    """A folder of the TF-Hub port."""
    folder.mkdir()
    hub_port.write(folder, hub_port.small_generator())


def write_pytorch(folder):
    """G_ema.pth and D.pth."""
    model = small(reference="ajbrock")
    save_biggan_pytorch(Generator(model), Discriminator(model), folder / "G_ema.pth", folder / "D.pth")


def write_pickle(path):
    """A pickle of StyleGAN2 without classes."""
    arguments = network_pickles.ada_arguments(classes=0)
    path.write_bytes(network_pickles.stylegan2_file(arguments, network_pickles.stylegan2_state_dicts(classes=0)))


def write_inception(path):
    """The FID network's file, with random weights."""
    draw, tensors = np.random.default_rng(0), {}
    for layer in inception.build_inception().layers:
        for name, variable in zip(inception.tensor_names(layer), layer.weights, strict=True):
            shape = tuple(variable.shape)
            order = (3, 2, 0, 1) if len(shape) == 4 else (1, 0) if len(shape) == 2 else (0,)
            scale = np.sqrt(2.0 / np.prod(shape[:-1])) if len(shape) > 1 else 0.05
            value = scale * draw.standard_normal([shape[i] for i in order])
            tensors[name] = (value + (name.endswith(("running_var", "bn.weight")))).astype(np.float32)
    write_state_dict(path, tensors)
