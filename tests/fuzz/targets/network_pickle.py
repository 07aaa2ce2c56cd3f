"""The reader of pickles of networks."""

import pathlib
import tempfile

import numpy as np

from biggan_tf.interop.network_pickle import read_network_pickle
from biggan_tf.interop.weights_file_error import WeightsFileError

_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz_network_pickle")
_PATH = pathlib.Path(_FOLDER.name) / "network.pkl"


def fuzz_one(data: bytes) -> None:
    """Reads the data; each tensor must then lie in memory that is its own."""
    _PATH.write_bytes(data)
    try:
        found = read_network_pickle(_PATH)
    except WeightsFileError as error:
        message = str(error)
        assert message.startswith(f"cannot read networks from {_PATH}: ")
        assert len(message) < 2000
        return
    assert found.family in ("stylegan2", "stylegan3", "r3gan")
    for arrays in (found.generator, found.discriminator or {}):
        for name, array in arrays.items():
            assert isinstance(name, str)
            assert array.nbytes <= len(data)
            np.asarray(array).copy()
