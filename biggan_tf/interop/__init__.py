"""Other people's published weights, in and out, without their frameworks."""

from biggan_tf.interop.biggan_pytorch import load_biggan_pytorch, save_biggan_pytorch
from biggan_tf.interop.tfhub_port import load_tfhub_port

__all__ = ["load_biggan_pytorch", "load_tfhub_port", "save_biggan_pytorch"]
