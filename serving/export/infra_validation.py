"""Loads an export in a new process, compares it, and asks a real server for samples, before it gets its name.

`validate` starts `python -m serving.export.infra_validation`, so that nothing of the exporting process can help.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from typing import Any

import grpc
import numpy as np

from serving import signatures as s
from serving.client import ClientError, GeneratorClient

_TIMEOUT_S = 600


class ExportError(RuntimeError):
    """What was exported cannot be served as it should."""


def validate(directory: str, reference: dict[str, np.ndarray], tolerance: float, rows: str = s.EXACT) -> None:
    """Checks a staged version in a new process.

    Args:
        directory: The staged version.
        reference: Inputs of `synthesize`, and the eager generator's images for them.
        tolerance: The largest difference between images in [-1, 1].
        rows: "exact": a row must have the same bits in any batch; "fast": it must stay within the tolerance.

    Raises:
        ExportError: With what went wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "reference.npz")
        arrays: dict[str, Any] = {**reference, "tolerance": np.float64(tolerance), s.ROWS: rows}
        np.savez(file, **arrays)
        command = [sys.executable, "-m", "serving.export.infra_validation", os.path.abspath(directory), file]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ExportError(f"The export was not served within {_TIMEOUT_S} s; nothing was kept.") from error
    if result.returncode:
        reason = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise ExportError(f"The export failed its validation; nothing was kept. {' '.join(reason)}")


def check_served(directory: str, file: str) -> None:
    """Serves one version from a directory of its own and compares its answers."""
    from serving.server.flags import ServerOptions
    from serving.server.model_server import ModelServer

    reference = dict(np.load(file))
    with tempfile.TemporaryDirectory() as base:
        os.symlink(directory, os.path.join(base, "1"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ServerOptions(port=port, model_name=s.MODEL_NAME, model_base_path=base, max_num_load_retries=0)
        server = ModelServer(options)
        server.start()
        try:
            with GeneratorClient(f"127.0.0.1:{port}") as client:
                images = client.synthesize(reference[s.LATENT], reference.get(s.CLASS_WEIGHTS), reference[s.TRUNCATION])
                difference = float(np.abs(images - reference[s.IMAGES]).max())
                if not difference <= float(reference["tolerance"]):
                    raise ExportError(f"Served images differ from the generator's by {difference:g}.")
                _check_rows(client, reference, 0.0 if reference[s.ROWS] == s.EXACT else float(reference["tolerance"]))
        finally:
            server.stop(1.0)


def _check_rows(client: GeneratorClient, reference: dict[str, np.ndarray], tolerance: float) -> None:
    """Each of eight rows must be the same in batches of other sizes: floats to the bit, and so their pictures.

    No processor can break this (`serving.export.rows`); what can is a change of the export.
    """
    if not client.sample_png([0], [0])[0].startswith(b"\x89PNG"):
        raise ExportError("The served picture is no PNG.")
    count = max(s.DEFAULT_BATCH_SIZES)
    which = np.arange(count) % len(reference[s.LATENT])
    z, truncation = reference[s.LATENT][which], reference[s.TRUNCATION][which]
    weights = reference[s.CLASS_WEIGHTS][which] if s.CLASS_WEIGHTS in reference else None
    whole = client.synthesize(z, weights, truncation)
    for size in sorted({*range(1, 6), *s.DEFAULT_BATCH_SIZES}):
        for start in {0, count - size}:
            part = slice(start, start + size)
            images = client.synthesize(z[part], None if weights is None else weights[part], truncation[part])
            difference = float(np.abs(images - whole[part]).max())
            if not difference <= tolerance:
                raise ExportError(
                    f"A row must not differ by more than {tolerance:g} between batches of {size} and {count}. "
                    f"Received: {difference:g}. The fault lies in serving.export and not in this machine; report it."
                )


def main(arguments: list[str]) -> int:
    """Runs the check; the last line of stderr says what failed."""
    from serving.server.status import ServingError

    try:
        check_served(arguments[0], arguments[1])
    except (ExportError, ServingError, ClientError, grpc.RpcError) as error:
        sys.stderr.write(f"\n{str(error).splitlines()[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
