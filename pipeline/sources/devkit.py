"""Reads from the ILSVRC2012 development kit which synset each validation image shows."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import IO

from pipeline.errors import PipelineError
from pipeline.sources import tar_archive

_GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
_META = "data/meta.mat"
_MAX_BYTES = 64 << 20  # unpacked; the kit has 3 MB
# What SciPy's reader raises for files that are no MATLAB files, or damaged ones.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, TypeError,
    ValueError, struct.error, zlib.error,
)  # fmt: skip


def validation_synsets(file: IO[bytes], path: str) -> list[str]:
    """The synset of each validation image, in the order of the file names.

    The ground truth counts by ILSVRC2012_ID, which is not the order of the synsets: meta.mat says which is which.

    Args:
        file: The devkit archive, opened to read.
        path: Its path, for error texts.

    Raises:
        PipelineError: If it is not that archive.
    """
    archive = io.BytesIO(_unpacked(file, path))
    texts = {}
    for member in tar_archive.members(archive, path):
        if member.kind == tar_archive.FILE and member.name.endswith((_GROUND_TRUTH, _META)):
            archive.seek(member.offset)
            texts[member.name.partition("/")[2]] = archive.read(member.size)
    if set(texts) != {_GROUND_TRUTH, _META}:
        raise PipelineError(f"{path} must hold {_GROUND_TRUTH} and {_META}; of these it holds {sorted(texts)}.")
    synsets = _synsets_by_id(texts[_META], path)
    numbers = _numbers(texts[_GROUND_TRUTH], path)
    unknown = sorted(set(numbers) - set(synsets))
    if unknown:
        raise PipelineError(f"{path}: the ground truth names the id {unknown[0]}, which meta.mat does not have.")
    return [synsets[number] for number in numbers]


def _unpacked(file: IO[bytes], path: str) -> bytes:
    """The tar archive inside the gzip file. It is read to its end, where the checksum of its content stands."""
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            content = unpacked.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PipelineError(f"{path} must be the ILSVRC2012 development kit: {error}. Download it again.") from error
    if len(content) > _MAX_BYTES:
        raise PipelineError(f"{path} must be the ILSVRC2012 development kit; it unpacks to over {_MAX_BYTES:,} bytes.")
    return content


def _numbers(text: bytes, path: str) -> list[int]:
    words = text.split()
    wrong = [word for word in words if not word.isdigit() or len(word) > 9]
    if wrong:
        raise PipelineError(f"{path}: the ground truth must be a number a line. Received: {wrong[0][:40]!r}.")
    return [int(word) for word in words]


def _synsets_by_id(meta: bytes, path: str) -> dict[int, str]:
    # Only this source needs SciPy, and importing it takes a second.
    from scipy import io as scipy_io
    from scipy.io.matlab import MatReadError

    try:
        synsets = scipy_io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        # Entries above 1000 are inner nodes of the hierarchy, without images of their own.
        return {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in synsets if int(entry["num_children"]) == 0}
    except (*_DAMAGE, MatReadError) as error:
        raise PipelineError(f"{path}: meta.mat must hold the table of synsets: {error}.") from error
