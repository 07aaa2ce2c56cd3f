"""ILSVRC-shaped archives, made from images at hand."""

import io
import pathlib
import tarfile

import numpy as np
from scipy import io as scipy_io


def add(archive, name, content):
    header = tarfile.TarInfo(name)
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            add(archive, name, content)
    return buffer.getvalue()


def devkit(synsets, numbers):
    """The development kit: synsets by ILSVRC2012_ID (from 1) and the ids of the validation images."""
    table = np.zeros(len(synsets) + 1, [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")])
    for index, synset in enumerate(synsets):
        table[index] = (index + 1, synset, 0)
    table[-1] = (len(synsets) + 1, "n00000000", 2)  # an inner node
    meta = io.BytesIO()
    scipy_io.savemat(meta, {"synsets": table})
    truth = "".join(f"{number}\n" for number in numbers).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        add(archive, "ILSVRC2012_devkit_t12/data/meta.mat", meta.getvalue())
        add(archive, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth)
    return buffer.getvalue()


def write(root, train, validation=(), numbers=None, by_id=None):
    """Writes the archives: {synset: [(name, bytes)]}, [(name, bytes)], ground truth and synsets by id."""
    root = pathlib.Path(root)
    root.mkdir(parents=True, exist_ok=True)
    inner = [(f"{synset}.tar", tar_of(members)) for synset, members in sorted(train.items())]
    (root / "ILSVRC2012_img_train.tar").write_bytes(tar_of(inner))
    if validation:
        (root / "ILSVRC2012_img_val.tar").write_bytes(tar_of(validation))
    if numbers:
        (root / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(devkit(by_id, numbers))


def headers(data, start=0, end=None):
    """Positions of all headers of a sound archive, those of archives inside it included."""
    end = len(data) if end is None else end
    while start + 512 <= end and data[start : start + 512].strip(b"\0"):
        yield start
        size = int(data[start + 124 : start + 136].strip(b" \0") or b"0", 8)
        if data[start : start + 100].partition(b"\0")[0].endswith(b".tar"):
            yield from headers(data, start + 512, start + 512 + size)
        start += 512 + -(-size // 512) * 512


def signed(header):
    """A header with the checksum that its content asks for."""
    header = bytes(header)
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    return header[:148] + f"{total:06o}\0 ".encode() + header[156:]
