"""The reader of PyTorch files.

Data that begins with Z or L is a pickle, which is put into a sound file of the zip or the older form: no change of such
a file's bytes would get past its check sums. All other data is a file as it is.
"""

import pathlib
import tempfile

import numpy as np

from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop.hand_written_torch_files import legacy_file, zip_file

_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz_torch_reader")
_PATH = pathlib.Path(_FOLDER.name) / "w.pth"
_NUMBERS = np.arange(16, dtype="<f4")


def fuzz_one(data: bytes) -> None:
    """Reads the data; each tensor must then lie in memory that is its own."""
    if data[:1] == b"Z":
        zip_file(_PATH, data[1:], s0=_NUMBERS.tobytes(), s1=_NUMBERS.tobytes())
    elif data[:1] == b"L":
        legacy_file(_PATH, data[1:], {"0": _NUMBERS})
    else:
        _PATH.write_bytes(data)
    try:
        tensors = read_state_dict(_PATH)
    except WeightsFileError as error:
        message = str(error)
        assert message.startswith(f"cannot read weights from {_PATH}: ")
        assert len(message) < 2000
        return
    assert tensors
    for name, array in tensors.items():
        assert isinstance(name, str)
        np.asarray(array).copy()
