"""Data sets as Hugging Face's libraries store them, written with pyarrow alone."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import PipelineError

FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["zebra", "ant"]}}
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(rows, image=IMAGE, label=None):
    """A table of (bytes, label)."""
    contents = [content if image != IMAGE else {"bytes": content, "path": None} for content, _ in rows]
    labels = [each for _, each in rows]
    return pa.table({"image": pa.array(contents, image), "label": pa.array(labels, label)})


def write_parquet(path, rows, features=FEATURES, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = table(rows)
    if features is not None:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(made, path, **options)


def write_arrow(folder, rows, features=FEATURES, batch_rows=2, state=None, made=None, **options):
    folder.mkdir(parents=True, exist_ok=True)
    made = table(rows) if made is None else made
    options = pa.ipc.IpcWriteOptions(**options)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, made.schema, options=options) as stream,
    ):
        stream.write_table(made, batch_rows)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_data_files": None, **(state or {})}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def damaged(sound, cut_every, change_every):
    """A file's content cut off at every so many bytes, and with one of every so many bytes changed."""
    yield from (sound[:end] for end in range(0, len(sound), cut_every))
    for position in range(0, len(sound), change_every):
        changed = bytearray(sound)
        changed[position] ^= 0xFF
        yield bytes(changed)


def listed_or_refused(listing):
    """The items that a call lists; None where it refuses the data, which takes it no more than 2,000 letters."""
    try:
        return listing()
    except PipelineError as error:
        said = str(error)
    assert len(said) < 2_000
    return None
