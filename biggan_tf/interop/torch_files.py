"""PyTorch checkpoint files, read and written without PyTorch, and without running what they say.

tensors = read_state_dict("G_ema.pth")
write_state_dict("copy.pth", tensors)
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from biggan_tf.interop.tensor_refs import StorageRef, TensorRef
from biggan_tf.interop.torch_legacy import TorchLegacy
from biggan_tf.interop.torch_zip import TorchZip, write_torch_zip
from biggan_tf.interop.weights_file_error import WeightsFileError

_MAX_DEPTH = 32
_MAX_VALUES = 1_000_000  # A pickle can refer to itself, so its size does not bound its tree's.


def read_state_dict(path: str | os.PathLike, key: str | None = None) -> dict[str, np.ndarray]:
    """Reads the tensors of a file that `torch.save` wrote, in its zip or its older form.

    The file's pickle is not run: it can describe containers and tensors, and anything else that it
    names is refused. Tensors that share a storage in the file share their memory here.

    Args:
        path: the file.
        key: which part of nested dicts to read, its levels joined by dots: "state_dict" reads
            {"epoch": 3, "state_dict": {"conv.weight": ...}} as {"conv.weight": ...}.

    Returns:
        Arrays of the stored dtype (bfloat16 and float8 are those of `ml_dtypes`) by name. Without a
        key the levels of nested dicts and lists are joined by dots ("state_dict.conv.weight");
        what is not a tensor is left out.

    Raises:
        WeightsFileError: if the file is damaged, foreign or unsafe, or has no tensor under `key`.
    """
    try:
        return _read(Path(path), key)
    except WeightsFileError as error:
        raise WeightsFileError(f"cannot read weights from {os.fspath(path)}: {error}") from error.__cause__


def write_state_dict(path: str | os.PathLike, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as a file that `torch.load(path, weights_only=True)` reads.

    The file appears whole or not at all; the same arrays give the same bytes.
    """
    path = Path(path)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write_torch_zip(file, tensors)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _read(path: Path, key: str | None) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        head = file.read(32)
        file.seek(0)
        source: TorchZip | TorchLegacy
        if head.startswith(b"PK\x03\x04"):
            source = TorchZip(file)
        elif head.startswith(b"\x80"):
            source = TorchLegacy(file)
        else:
            start = f"it starts with {head!r}" if head else "it is empty"
            raise WeightsFileError(f"it is no file that torch.save writes ({start})")
        references = dict(_flatten(source.pickle.root))
        return _resolve(_select(references, key), source.read_storage)


def _flatten(root: Any) -> Iterator[tuple[str, TensorRef]]:
    """Every tensor of nested dicts and lists with its dotted name."""
    pending = [("", root, 0)]
    seen = 0
    while pending:
        name, value, depth = pending.pop()
        seen += 1
        if depth > _MAX_DEPTH or seen > _MAX_VALUES:
            raise WeightsFileError("its dicts are nested without an end")
        if isinstance(value, TensorRef):
            yield name, value
        elif isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            inner = [(f"{name}.{key}" if depth else str(key), item, depth + 1) for key, item in items]
            pending.extend(reversed(inner))


def _select(references: dict[str, TensorRef], key: str | None) -> dict[str, TensorRef]:
    if key is None:
        chosen = references
    else:
        chosen = {
            name.removeprefix(f"{key}."): reference
            for name, reference in references.items()
            if name.startswith(f"{key}.")
        }
    if not chosen:
        tops = sorted({name.split(".")[0] for name in references})[:12]
        raise WeightsFileError(
            f"it has no tensors{'' if key is None else f' under the key {key!r}'}; "
            f"keys with tensors: {', '.join(tops) or 'none'}"
        )
    return chosen


def _resolve(
    references: dict[str, TensorRef], read_storage: Callable[[StorageRef], np.ndarray]
) -> dict[str, np.ndarray]:
    storages: dict[str, np.ndarray] = {}
    arrays = {}
    for name, reference in references.items():
        key = reference.storage.key
        if key not in storages:
            storages[key] = read_storage(reference.storage)
        arrays[name] = _strided(name, reference, storages[key])
    return arrays


def _strided(name: str, reference: TensorRef, data: np.ndarray) -> np.ndarray:
    """The view of a storage's bytes that a tensor shows, after a check that it stays inside."""
    storage, dtype = reference.storage, reference.dtype
    start = storage.start * storage.dtype.itemsize
    claimed = storage.count * storage.dtype.itemsize
    if start + claimed > len(data):
        raise WeightsFileError(f"its storage {storage.key!r} claims {start + claimed} bytes, the file has {len(data)}")
    count = claimed // dtype.itemsize
    elements = math.prod(reference.shape)
    last = reference.offset + sum(
        (size - 1) * stride for size, stride in zip(reference.shape, reference.strides, strict=True)
    )
    too_large = math.prod(size for size in reference.shape if size) > max(count, 2**40)
    if too_large or len(reference.shape) > 32 or (elements and (last >= count or elements > count)):
        raise WeightsFileError(
            f"its tensor {name!r} of shape {reference.shape} with offset {reference.offset} and "
            f"strides {reference.strides} does not fit its storage of {count} elements"
        )
    if not elements:
        return np.zeros(reference.shape, dtype)
    flat = data[start : start + count * dtype.itemsize]
    if dtype == np.bool_:
        flat = (flat != 0).view(np.uint8)  # Any byte but 0 and 1 makes a NumPy bool misbehave.
    strides = [stride * dtype.itemsize for stride in reference.strides]
    return np.ndarray(reference.shape, dtype, flat.data, reference.offset * dtype.itemsize, strides)
