"""The reader of safetensors files."""

import pathlib
import tempfile

from biggan_tf.interop.safetensors_files import open_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError

_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz_safetensors")
_PATH = pathlib.Path(_FOLDER.name) / "w.safetensors"


def fuzz_one(data: bytes) -> None:
    """Reads the data; its tensors must then be all that lies behind the header."""
    _PATH.write_bytes(data)
    try:
        with open_safetensors(_PATH) as file:
            arrays = [file.read(name) for name in file.tensors]
    except WeightsFileError as error:
        message = str(error)
        assert message.startswith(f"cannot read tensors from {_PATH}: ")
        assert len(message) < 2000
        return
    assert 8 + int.from_bytes(data[:8], "little") + sum(array.nbytes for array in arrays) == len(data)
