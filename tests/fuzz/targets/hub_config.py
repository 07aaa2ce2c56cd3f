"""The config.json of a folder with a generator of TF-Hub."""

import pathlib
import tempfile

from biggan_tf.families.biggan import hub_config
from biggan_tf.families.biggan.tables import generator_levels
from biggan_tf.interop.weights_file_error import WeightsFileError

_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz_hub_config")
_PATH = pathlib.Path(_FOLDER.name) / "config.json"


def fuzz_one(data: bytes) -> None:
    """Reads the data; what is accepted must describe a generator, and what is refused must be so in one line."""
    _PATH.write_bytes(data)
    try:
        config = hub_config.read(_PATH)
    except WeightsFileError as error:
        message = str(error)
        assert message.startswith(f"{_PATH} must ")
        assert "\n" not in message
        assert len(message) < 500
        return
    levels = generator_levels(config.model_config("float32"))
    assert levels[-1].size == config.output_dim
    assert len(levels) == len(config.layers) / 2
