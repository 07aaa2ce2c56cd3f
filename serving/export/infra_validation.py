"""Checks an export before it becomes a version: a server in a new process loads it and answers requests.

`validate` starts `python -m serving.export.infra_validation`. In the process of the export a mistake could go
unnoticed, because the generator's code and variables are there anyway.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import grpc
import numpy as np
from PIL import Image

from biggan_tf import files
from serving import signatures as s
from serving.client import ClientError, GeneratorClient
from serving.client.plan import picture_inputs

if TYPE_CHECKING:
    from serving.server.loaded_model import LoadedModel

_TIMEOUT_S = 600
ENLARGED = "enlarged"  # in a reference: what `upscale` makes of the pictures
IMAGES_OF_STYLES = "images_of_styles"  # in a reference: those of `synthesize_styles`


class ExportError(RuntimeError):
    """What was exported cannot be served as it should."""


def validate(directory: str, reference: dict[str, np.ndarray], tolerance: float, rows: str = s.EXACT) -> None:
    """Checks an export in a new process.

    Args:
        directory: The folder of the export.
        reference: Inputs of `synthesize` by their names, and `images`, the generator's own images for them. Of a model
            with styles also the other inputs of `map` and `synthesize_styles`, with `w` and `IMAGES_OF_STYLES`. Of a
            generator that enlarges: the bytes of PNG files of one size as `image_bytes_0`, `image_bytes_1`, ..., and as
            `ENLARGED` the generator's own pictures of them with the seeds 0, 1, ..., uint8 [N, H, W, 3].
        tolerance: The largest difference that is allowed between those images and the served ones: in [-1, 1], and in
            grey levels from 0 to 255 where a generator enlarges.
        rows: "exact": a row must have the same bits in any batch. "fast": it may differ by the tolerance.

    Raises:
        ExportError: The export was not served, or its answers are wrong; the message says how.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "reference.npz")
        files.write_npz(file, {**reference, "tolerance": np.float64(tolerance), s.ROWS: rows})
        command = [sys.executable, "-m", "serving.export.infra_validation", os.path.abspath(directory), file]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ExportError(f"The export was not served within {_TIMEOUT_S} s; nothing was kept.") from error
    if result.returncode:
        reason = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise ExportError(f"The export failed its validation; nothing was kept. {' '.join(reason)}")


def check_served(directory: str, file: str) -> None:
    """Serves an export on a free port and compares its answers.

    Args:
        directory: The folder of the export.
        file: An .npz file with the reference, the tolerance and the kind of rows, which `validate` wrote.

    Raises:
        ExportError: An answer is wrong.
        ServingError: The server does not load the export.
    """
    from serving.server.flags import ServerOptions
    from serving.server.model_server import ModelServer

    reference = dict(np.load(file))
    with tempfile.TemporaryDirectory() as base:
        os.symlink(directory, os.path.join(base, "1"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # It asks for no token, so no other machine may reach it.
        options = ServerOptions(
            port=port, host="127.0.0.1", model_name=s.MODEL_NAME, model_base_path=base, max_num_load_retries=0
        )
        server = ModelServer(options)
        server.start()
        try:
            with GeneratorClient(f"127.0.0.1:{port}") as client:
                if ENLARGED in reference:
                    with server.core.manager.handle(s.MODEL_NAME, None) as (_, model):
                        _check_enlarged(client, model, reference)
                    return
                images = client.synthesize(reference[s.LATENT], reference.get(s.CLASS_WEIGHTS), reference[s.TRUNCATION])
                _check_near("images", images, reference[s.IMAGES], float(reference["tolerance"]))
                if IMAGES_OF_STYLES in reference:
                    _check_styles(client, reference)
                _check_rows(client, reference, 0.0 if reference[s.ROWS] == s.EXACT else float(reference["tolerance"]))
                _check_bad_rows(client)
            with server.core.manager.handle(s.MODEL_NAME, None) as (_, model):
                _check_marks(model)
        finally:
            server.stop(1.0)


def _check_enlarged(client: GeneratorClient, model: LoadedModel, reference: dict[str, np.ndarray]) -> None:
    """Raises an error unless pictures are enlarged as by the generator, alone and together, and other files refused."""
    pictures = [reference[f"{s.IMAGE_BYTES}_{row}"].tobytes() for row in range(len(reference[ENLARGED]))]
    # The client sends each picture by itself.
    together, _ = model.run(s.UPSCALE, picture_inputs(pictures, None), (s.IMAGE_BYTES, s.VALID), None)
    for row, (data, expected) in enumerate(zip(together, reference[ENLARGED], strict=True)):
        levels = np.asarray(Image.open(io.BytesIO(data)))
        _check_near("pictures", levels.astype(np.float64), expected.astype(np.float64), float(reference["tolerance"]))
        if client.upscale([pictures[row]], [row]) != [data]:
            raise ExportError("A picture must have the same bits alone and with others.")
    try:
        client.upscale([pictures[0], b"no picture"])
    except ClientError as error:
        if "must be PNG, JPEG or WebP files" in str(error):
            return
        raise
    raise ExportError("A file that is no picture must be refused.")


def _check_near(what: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    difference = float(np.abs(ours - theirs).max())
    if not difference <= tolerance:
        raise ExportError(f"Served {what} differ from the generator's by {difference:g}.")


def _check_styles(client: GeneratorClient, reference: dict[str, np.ndarray]) -> None:
    """Raises an error unless the two halves of a model with styles are those of the generator."""
    tolerance = float(reference["tolerance"])
    w = client.map(reference[s.LATENT], reference.get(s.CLASS_WEIGHTS), reference[s.TRUNCATION], reference[s.CUTOFF])
    _check_near("styles", w, reference[s.STYLES], tolerance * max(1.0, float(np.abs(reference[s.STYLES]).max())))
    images = client.synthesize_styles(reference[s.STYLES], reference[s.SEED])
    _check_near("images of styles", images, reference[IMAGES_OF_STYLES], tolerance)


def _check_rows(client: GeneratorClient, reference: dict[str, np.ndarray], tolerance: float) -> None:
    """Raises an error unless each of eight rows is the same in batches of other sizes, within the tolerance.

    Exact rows hold on every processor (`serving.export.rows`), so a failure is a fault of the export's code.
    """
    if not client.sample_png([0], [0])[0].startswith(b"\x89PNG"):
        raise ExportError("The served picture is no PNG.")
    count = max(s.DEFAULT_BATCH_SIZES)
    which = np.arange(count) % len(reference[s.LATENT])
    z, truncation = reference[s.LATENT][which], reference[s.TRUNCATION][which]
    weights = reference[s.CLASS_WEIGHTS][which] if s.CLASS_WEIGHTS in reference else None
    expected = client.synthesize(z, weights, truncation)
    for size in sorted({*range(1, 6), *s.DEFAULT_BATCH_SIZES}):
        for start in {0, count - size}:
            part = slice(start, start + size)
            images = client.synthesize(z[part], None if weights is None else weights[part], truncation[part])
            difference = float(np.abs(images - expected[part]).max())
            if not difference <= tolerance:
                raise ExportError(
                    f"A row must not differ by more than {tolerance:g} between batches of {size} and {count}. "
                    f"Received: {difference:g}. The fault lies in serving.export and not in this machine; report it."
                )


def _check_bad_rows(client: GeneratorClient) -> None:
    """Raises an error unless a server refuses a row that is out of bounds, and says which bound."""
    for label, truncation, rule in ((2**31 - 1, 0.5, "label must be in"), (0, float("nan"), "truncation must be in")):
        try:
            client.sample_png([0, label], [0, 0], [0.5, truncation])
        except ClientError as error:
            if rule in str(error):
                continue
            raise
        raise ExportError(f"A row with the label {label} and the truncation {truncation} must be refused.")


def _check_marks(model: LoadedModel) -> None:
    """Raises an error unless the graph itself marks such rows, and draws the row between them as it does alone.

    A server that knows no bounds, such as tensorflow_model_server, has nothing else to go by.
    """
    inputs = {
        s.LABEL: np.array([2**31 - 1, 0, 0], np.int32),
        s.SEED: np.array([1, 2, 3]),
        s.TRUNCATION: np.array([0.5, 0.5, np.nan], np.float32),
    }
    outputs = (s.IMAGE_BYTES, s.VALID)
    pictures, valid = model.run(s.SAMPLE, inputs, outputs, None)
    (alone,), _ = model.run(s.SAMPLE, {alias: value[1:2] for alias, value in inputs.items()}, outputs, None)
    if valid.tolist() != [False, True, False] or pictures[0] != pictures[2]:
        raise ExportError(f"Rows that are out of bounds must be blank and marked. Received: valid={valid.tolist()}")
    if pictures[1] != alone:
        raise ExportError("A row must not change when the rows next to it are out of bounds.")


def main(arguments: list[str]) -> int:
    """Checks the export that the two arguments of `check_served` name; the last line of stderr says what failed."""
    from serving.server.status import ServingError

    try:
        check_served(arguments[0], arguments[1])
    except (ExportError, ServingError, ClientError, grpc.RpcError) as error:
        sys.stderr.write(f"\n{str(error).splitlines()[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
