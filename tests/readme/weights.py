"""Files in the published formats, with weights of our own making, for the README's commands."""

import json

import numpy as np

from biggan_tf.evaluation import inception
from biggan_tf.interop import save_biggan_pytorch, tfhub_port, weight_map
from biggan_tf.interop.torch_files import write_state_dict
from biggan_tf.networks import Discriminator, Generator
from tests.biggan_tf.networks.models import small

_HUB = {
    "attention_layer_position": 4,
    "channel_width": 8,
    "class_embed_dim": 6,
    "eps": 1e-4,
    "layers": [[False, 4, 4], [True, 4, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]],
    "n_stats": 51,
    "num_classes": 7,
    "output_dim": 32,
    "z_dim": 6,
}


def write_hub_port(folder):
    """A folder of the TF-Hub port."""
    folder.mkdir()
    generator = Generator(tfhub_port._model_config(_HUB, "float32"), num_statistics=51)
    tensors = weight_map.extract(tfhub_port._entries(generator))
    write_state_dict(folder / "pytorch_model.bin", tensors)
    (folder / "config.json").write_text(json.dumps(_HUB))


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
