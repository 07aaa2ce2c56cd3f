"""The check of an export before it becomes a version."""

import io

import numpy as np
import pytest
from PIL import Image

from serving import signatures as s
from serving.client import ClientError
from serving.export import infra_validation
from serving.export.infra_validation import ENLARGED, ExportError
from serving.server import model_server


def test_no_other_machine_reaches_the_server_of_the_check(monkeypatch, tmp_path):
    seen = []

    class StoppedError(Exception):
        pass

    def server(options):
        seen.append(options)
        raise StoppedError

    monkeypatch.setattr(model_server, "ModelServer", server)
    np.savez(tmp_path / "reference.npz", tolerance=0.0)
    with pytest.raises(StoppedError):
        infra_validation.check_served(str(tmp_path), str(tmp_path / "reference.npz"))
    assert seen[0].host == "127.0.0.1"
    assert (seen[0].rest_api_port, seen[0].playground_port, seen[0].grpc_socket_path) == (0, 0, "")


def png(level):
    file = io.BytesIO()
    Image.fromarray(np.full((2, 2, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


class Client:
    """Enlarges as it should, and refuses what is no picture."""

    def upscale(self, pictures, seeds=None):
        if b"no picture" in pictures:
            raise ClientError("image_bytes must be PNG, JPEG or WebP files")
        return list(pictures)


class Model:
    """Enlarges the pictures of a request together; the last one otherwise than it should by some levels."""

    def __init__(self, error):
        self.error = error

    def run(self, signature, inputs, outputs, timeout_s):
        pictures = inputs[s.IMAGE_BYTES].tolist()
        level = np.asarray(Image.open(io.BytesIO(pictures[-1])))[0, 0, 0]
        return [np.array([*pictures[:-1], png(level + self.error)], object), np.ones(len(pictures), bool)]


@pytest.mark.parametrize(
    ("error", "tolerance", "said"),
    [
        (0, 0.0, None),
        (3, 2.0, "pictures differ from the generator's by 3"),
        (1, 2.0, "same bits alone and with others"),
    ],
)
def test_a_picture_must_not_change_in_a_request_with_others(error, tolerance, said):
    pictures = [png(10), png(20)]
    large = np.stack([np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures])
    reference = {f"image_bytes_{row}": np.frombuffer(data, np.uint8) for row, data in enumerate(pictures)}
    reference |= {ENLARGED: large, "tolerance": np.float64(tolerance)}
    if said is None:
        infra_validation._check_enlarged(Client(), Model(error), reference)
        return
    with pytest.raises(ExportError, match=said):
        infra_validation._check_enlarged(Client(), Model(error), reference)
