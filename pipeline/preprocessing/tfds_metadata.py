"""Writes the files with which TensorFlow Datasets reads a folder of shards, class names included."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from pipeline.preprocessing import storage
from pipeline.sources import beam_files

TEMPLATE = "{SPLIT}-{SHARD_X_OF_Y}.{FILEFORMAT}"


def write(folder: str, manifest: manifest_lib.Manifest) -> None:
    """Writes dataset_info.json, features.json and the label names.

    Args:
        folder: Folder of the shards of one resolution, local or a URL that Beam knows.
        manifest: The manifest of the shards.
    """
    # TFDS knows fewer file systems than Beam, so it writes locally.
    with tempfile.TemporaryDirectory() as local:
        shards = {shard.name for split in manifest.splits.values() for shard in split.shards}
        for name in shards:  # it asks whether they are there, not what is in them
            open(os.path.join(local, name), "wb").close()
        _write_local(local, manifest)
        for name in sorted(set(os.listdir(local)) - shards):
            with open(os.path.join(local, name), "rb") as file:
                storage.write_atomically(beam_files.join(folder, name), file.read())


def _write_local(folder: str, manifest: manifest_lib.Manifest) -> None:
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        template=TEMPLATE, data_dir=folder, dataset_name="biggan_data", filetype_suffix="tfrecord"
    )
    splits = [
        tfds.core.SplitInfo(
            name=name,
            shard_lengths=[shard.num_records for shard in split.shards],
            num_bytes=sum(shard.num_bytes for shard in split.shards),
            filename_template=template,
        )
        for name, split in sorted(manifest.splits.items())
    ]
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=_features(manifest),
        split_infos=splits,
        filename_template=template,
        supervised_keys=(records.IMAGE, records.LABEL),
        description=f"Images of {manifest.resolution} pixels, {manifest.preprocessing}.",
        check_data=False,
    )


def _features(manifest: manifest_lib.Manifest) -> Any:
    import numpy as np
    import tensorflow_datasets as tfds

    shape = (manifest.resolution, manifest.resolution, 3)
    if manifest.image_format in ("png", "jpeg"):
        image = tfds.features.Image(shape=shape, encoding_format=manifest.image_format)
    elif manifest.image_format == "raw":
        image = tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="bytes")
    else:  # TFDS decodes no WebP: its bytes
        image = tfds.features.Tensor(shape=(), dtype=np.str_)
    return tfds.features.FeaturesDict(
        {
            records.IMAGE: image,
            records.LABEL: tfds.features.ClassLabel(names=list(manifest.label_names)),
            records.CLASS_NAME: tfds.features.Text(),
            records.FILENAME: tfds.features.Text(),
        }
    )
