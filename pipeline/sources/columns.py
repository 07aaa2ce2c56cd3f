"""Which columns of a table of Apache Arrow hold the images and their classes, as Hugging Face's data sets lay them out.

An image is a column of bytes, or of structures with `bytes` and `path`. A class is a number, whose names the data set's
features may give, or a name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sources import names

_IMAGES = ("image", "img", "jpg", "png", "picture")
_LABELS = ("label", "labels", "class", "cls", "fine_label", "coarse_label", "target")


@dataclasses.dataclass(frozen=True)
class ImageColumns:
    """The two columns.

    Attributes:
        image: The name of the column of images.
        is_structure: Whether its values are structures with `bytes`.
        label: The name of the column of classes.
        class_names: The names of the classes by number; (): unknown.
    """

    image: str
    is_structure: bool
    label: str
    class_names: tuple[str, ...] = ()


def image_columns(schema: Any, features: object, where: str) -> ImageColumns:
    """Finds the columns.

    Args:
        schema: The `pyarrow.Schema` of the table.
        features: The data set's features by the names of the columns, as its dataset_info.json or the metadata of a
            parquet file has them; anything else counts as unknown.
        where: What the error calls the table.

    Raises:
        PipelineError: If there is not one column of images and one of classes.
    """
    import pyarrow as pa

    def is_bytes(kind: Any) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    def is_image(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            index = kind.get_field_index("bytes")
            return index >= 0 and is_bytes(kind.field(index).type)
        return is_bytes(kind)

    images = [field.name for field in schema if is_image(field.type)]
    labels = [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    image = images[0] if len(images) == 1 else next((name for name in _IMAGES if name in images), "")
    label = next((name for name in _LABELS if name in labels), "")
    if not image or not label or [*schema.names].count(image) + [*schema.names].count(label) != 2:
        raise PipelineError(
            f"{where} must have a column of images, such as {_IMAGES[0]}, and one of classes, such as {_LABELS[0]}. "
            f"Received: {', '.join(map(str, schema.names))[:300]}."
        )
    return ImageColumns(image, pa.types.is_struct(schema.field(image).type), label, _class_names(features, label))


def _class_names(features: object, label: str) -> tuple[str, ...]:
    feature = features.get(label) if isinstance(features, dict) else None
    given = feature.get("names") if isinstance(feature, dict) else None
    if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
        return ()
    return tuple(names.to_text(name) for name in given)
