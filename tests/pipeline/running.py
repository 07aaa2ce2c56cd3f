"""Runs the job inside the test's process, and looks at what it wrote."""

import pathlib

import numpy as np
from PIL import Image

from biggan_tf.data import manifest
from pipeline.preprocessing import preprocess_run
from pipeline.preprocessing.settings import Settings, ValidatorConfig

RUNNERS = {
    "FnApiRunner": [],
    "DirectRunner": ["--runner=DirectRunner"],
    "PortableRunner": ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
}


def preprocess(output, source="folders", arguments=(), allow=None, request=None, **settings):
    """Returns the exit code; `request` overrides fields of the request, of its settings and of its validation."""
    fields = dict(request or {})
    validation = {name: fields.pop(name) for name in ("schema", "max_leaked_fraction") if name in fields}
    own = {name: fields.pop(name) for name in ("dry_run",) if name in fields}
    settings = {"resolutions": (16,), "allow": tuple(allow or ()), **fields, **settings}
    return preprocess_run.run(
        preprocess_run.Request(
            str(output), Settings(source=source, **settings), ValidatorConfig(**validation), progress=False, **own
        ),
        list(arguments),
    )


def shapes(output, num_shapes=60, arguments=(), **settings):
    return preprocess(output, "shapes", arguments, request={"num_shapes": num_shapes}, **settings)


def contents(folder):
    """{name: bytes} of every file below a folder."""
    root = pathlib.Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def load(output, resolution=16):
    return manifest.load(str(pathlib.Path(output) / str(resolution)))


def write_images(root, layout, size=(20, 24)):
    """Writes images of random pixels: {folder: number}; PNG, so that the pixels are known."""
    draws = np.random.default_rng(0)
    for folder, count in layout.items():
        path = pathlib.Path(root) / folder
        path.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = draws.integers(0, 256, [*size, 3], np.uint8)
            Image.fromarray(pixels).save(path / f"{path.name}_{index}.png")
