"""The decoding and cropping of image files. The first byte chooses the crop."""

import warnings

import tensorflow as tf

from pipeline.errors import RejectedImageError
from pipeline.preprocessing import crops
from pipeline.preprocessing.decoding import SourceImage

tf.constant(0)  # the first operation starts TensorFlow, which takes longer than an input may
_MAX_PIXELS = 1 << 18
_RESIZERS = [crops.make_resizer(name) for name in crops.NAMES]


def fuzz_one(data: bytes) -> None:
    """Decodes the data; what is accepted gives pixels of the size that was asked for."""
    resize = _RESIZERS[data[0] % len(_RESIZERS) if data else 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of much that it then reads or refuses
        try:
            image = SourceImage(data[1:], _MAX_PIXELS)
            assert image.width * image.height <= _MAX_PIXELS
            pixels = resize(image, [8, 16])
        except RejectedImageError as error:
            reason, message = error.reason, str(error)
            assert reason.replace("_", "").isalpha()
            assert len(message) <= 1000
            return
    for size in (8, 16):
        assert pixels[size].shape == (size, size, 3)
        assert pixels[size].dtype == "uint8"
