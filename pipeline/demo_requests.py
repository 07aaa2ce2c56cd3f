"""Serves the model that the pipeline has pushed, and asks for the same pictures over gRPC and over REST."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from pipeline.staged.stage import StageError
from pipeline.staged.stages.pusher import versions_in
from pipeline.staged.stages.server_process import ServerError, ServerProcess
from serving import signatures as s

MODEL_NAME = "shapes"
_TRUNCATION, _COLUMNS, _MAX_ROWS = 0.5, 8, 10
_TIMEOUT_S = 300.0


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the server answered.

    Attributes:
        num_grpc: Number of PNG files that came over gRPC.
        num_rest: Number of PNG files that came over REST.
        equal: Whether the pictures that were asked for over both are the same bytes.
    """

    num_grpc: int
    num_rest: int
    equal: bool

    def describe(self) -> str:
        """One sentence for a person."""
        same = "the same bytes" if self.equal else "NOT the same"
        return f"The server gave {self.num_grpc} pictures over gRPC and {self.num_rest} over REST: {same}."


def ask(base: Path, output: Path, num_classes: int) -> Answers:
    """Asks for a sheet of all classes over gRPC, and for its first column over REST.

    Args:
        base: The model base path, the folder that holds the numbered versions.
        output: Folder for served.png and the server's log.
        num_classes: Number of classes of the model.

    Raises:
        StageError: If the server does not answer as it should.
    """
    from serving.client import ClientError, GeneratorClient

    rows = min(num_classes, _MAX_ROWS)
    labels = [label for label in range(rows) for _ in range(_COLUMNS)]
    seeds = list(range(_COLUMNS)) * rows
    server_flags = [f"--model_name={MODEL_NAME}", f"--model_base_path={base.absolute()}"]
    with ServerProcess(server_flags, output / "server.log") as server:
        try:
            server.wait_until_open(_TIMEOUT_S)
            with GeneratorClient(server.target, MODEL_NAME, timeout_s=_TIMEOUT_S) as client:
                pictures = client.sample_png(labels, seeds, _TRUNCATION)
            over_rest = ask_rest(server.rest_port, list(range(rows)), [0] * rows)
        except (ClientError, ServerError, OSError, KeyError, ValueError) as error:
            raise StageError(f"The pushed model was not served as it should be: {error}") from error
    _write_sheet(pictures, _names(base)[:rows], output / "served.png")
    return Answers(len(pictures), len(over_rest), pictures[::_COLUMNS] == over_rest)


def ask_rest(port: int, labels: list[int], seeds: list[int]) -> list[bytes]:
    """Asks the REST API for pictures; returns their PNG files.

    Args:
        port: The server's REST port on 127.0.0.1.
        labels: The class of each picture.
        seeds: The seed of each picture.

    Raises:
        ValueError: If the server answers with an error.
    """
    instances = [
        {s.LABEL: label, s.SEED: seed, s.TRUNCATION: _TRUNCATION} for label, seed in zip(labels, seeds, strict=True)
    ]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models/{MODEL_NAME}:predict",
        json.dumps({"signature_name": s.SAMPLE, "instances": instances}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
            predictions = json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        raise ValueError(f"REST answered {error.code}: {error.read().decode(errors='replace')[:500]}") from error
    return [base64.b64decode(row[s.IMAGE_BYTES]["b64"]) for row in predictions]


def _names(base: Path) -> list[str]:
    """The names of the classes, from the newest version below `base`."""
    newest = versions_in(base)[-1]
    labels = json.loads((base / str(newest) / "assets" / s.LABELS_ASSET).read_text(encoding="utf-8"))
    return [label["name"] for label in labels]


def _write_sheet(pictures: list[bytes], names: list[str], path: Path) -> None:
    """A row for each class, a column for each seed."""
    from PIL import Image

    from biggan_tf import files
    from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet

    images = np.stack([np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in pictures])
    images = images.reshape(len(names), _COLUMNS, *images.shape[1:])
    sheet = draw_sheet(images, names, [f"seed {i}" for i in range(_COLUMNS)])
    with files.replacing(path) as file:
        sheet.save(file, "PNG")
