"""Files in the published formats, with weights of our own making, for the README's commands."""

import numpy as np

from biggan_tf.evaluation import inception
from biggan_tf.interop import save_biggan_pytorch
from biggan_tf.interop.torch_files import write_state_dict
from biggan_tf.networks import Discriminator, Generator
from tests.biggan_tf.interop import hub_port
from tests.biggan_tf.networks.models import small


def write_hub_port(folder):
    """A folder of the TF-Hub port."""
    folder.mkdir()
    hub_port.write(folder, hub_port.small_generator())


def write_pytorch(folder):
    """G_ema.pth and D.pth."""
    model = small(reference="ajbrock")
    save_biggan_pytorch(Generator(model), Discriminator(model), folder / "G_ema.pth", folder / "D.pth")


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
