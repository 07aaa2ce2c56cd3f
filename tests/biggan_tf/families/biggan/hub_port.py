"""A small generator on disk as the PyTorch port stores the Hub's."""

import json
from pathlib import Path

import numpy as np

from biggan_tf.families.biggan import hub_config
from biggan_tf.families.biggan import hub_weights as tfhub_port
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.torch_files import write_state_dict

SETTINGS = {
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


def small_generator() -> Generator:
    """The generator that `SETTINGS` describes."""
    settings = hub_config.parse(SETTINGS)
    return Generator(settings.model_config("float32"), num_statistics=settings.n_stats)


def write(folder: Path, generator: Generator) -> None:
    """Its config.json and pytorch_model.bin, with the power iteration's vectors that the published files hold."""
    tensors = weight_map.extract(tfhub_port._entries(generator))
    tensors["generator.gen_z.weight_v"] = np.ones(12, np.float32)
    write_state_dict(folder / "pytorch_model.bin", tensors)
    (folder / "config.json").write_text(json.dumps(SETTINGS))
