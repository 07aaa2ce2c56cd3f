"""The schema that the records must satisfy: read from a file, or inferred from the class names."""

from __future__ import annotations

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from biggan_tf.data import records
from pipeline.errors import PipelineError
from pipeline.preprocessing import statistics_proto
from pipeline.preprocessing.decoding import FORMATS
from pipeline.sources import beam_files

_MODES = ("1", "CMYK", "I", "I;16", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")


def infer(label_names: tuple[str, ...]) -> schema_pb2.Schema:
    """The schema that every sound output with these classes satisfies.

    Args:
        label_names: Class names; the position is the label.
    """
    schema = schema_pb2.Schema()
    _add(schema, records.IMAGE, schema_pb2.BYTES).image_domain.SetInParent()
    label = _add(schema, records.LABEL, schema_pb2.INT)
    label.int_domain.min, label.int_domain.max, label.int_domain.is_categorical = 0, len(label_names) - 1, True
    _add(schema, records.CLASS_NAME, schema_pb2.BYTES).string_domain.value.extend(label_names)
    _add(schema, statistics_proto.SOURCE_FORMAT, schema_pb2.BYTES).string_domain.value.extend(sorted(FORMATS))
    _add(schema, statistics_proto.SOURCE_MODE, schema_pb2.BYTES).string_domain.value.extend(_MODES)
    for name in (statistics_proto.SOURCE_HEIGHT, statistics_proto.SOURCE_WIDTH, statistics_proto.SOURCE_BYTES):
        _add(schema, name, schema_pb2.INT).int_domain.min = 1
    return schema


def _add(schema: schema_pb2.Schema, name: str, kind: int) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction, feature.presence.min_count = 1.0, 1
    feature.shape.dim.add(size=1)
    return feature


def parse(path: str) -> schema_pb2.Schema:
    """Reads a schema.

    Args:
        path: A tensorflow_metadata `Schema` in text form, usually called schema.pbtxt.

    Raises:
        PipelineError: If the file cannot be read or holds something else.
    """
    try:
        return text_format.Parse(beam_files.read_text(path), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise PipelineError(f"--schema={path} must be a tensorflow_metadata Schema in text form: {error}") from error


def to_text(schema: schema_pb2.Schema) -> str:
    """The schema as text, for schema.pbtxt."""
    return str(text_format.MessageToString(schema, as_utf8=True))
