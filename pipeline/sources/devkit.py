"""The ILSVRC2012 development kit: which synset each validation image shows."""

from __future__ import annotations

import io
import tarfile
from typing import IO

from pipeline.errors import PipelineError

_GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
_META = "data/meta.mat"


def validation_synsets(file: IO[bytes], path: str) -> list[str]:
    """The synset of each validation image, in the order of the file names.

    The ground truth counts by ILSVRC2012_ID, which is not the order of the synsets: meta.mat says which is which.

    Args:
        file: The devkit archive.
        path: Its name, for errors.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            contents = {
                member.name.partition("/")[2]: archive.extractfile(member)
                for member in archive
                if member.name.endswith((_GROUND_TRUTH, _META))
            }
            texts = {name: content.read() for name, content in contents.items() if content is not None}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise PipelineError(f"{path} must be the ILSVRC2012 development kit: {error}.") from error
    if set(texts) != {_GROUND_TRUTH, _META}:
        raise PipelineError(f"{path} must hold {_GROUND_TRUTH} and {_META}; of these it holds {sorted(texts)}.")
    synsets = _synsets_by_id(texts[_META], path)
    numbers = [int(line) for line in texts[_GROUND_TRUTH].split()]
    unknown = sorted(set(numbers) - set(synsets))
    if unknown:
        raise PipelineError(f"{path}: the ground truth names the id {unknown[0]}, which meta.mat does not have.")
    return [synsets[number] for number in numbers]


def _synsets_by_id(meta: bytes, path: str) -> dict[int, str]:
    # Only this source needs SciPy, and importing it takes a second.
    from scipy import io as scipy_io

    try:
        synsets = scipy_io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        # Entries above 1000 are inner nodes of the hierarchy, without images of their own.
        return {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in synsets if int(entry["num_children"]) == 0}
    except (ValueError, KeyError, TypeError, IndexError, NotImplementedError) as error:
        raise PipelineError(f"{path}: meta.mat must hold the table of synsets: {error}.") from error
