"""Declares protocol buffer messages in Python, where no generated module can be imported.

Every `Declaration` has a descriptor pool of its own, so that declaring `tensorflow.TensorProto` for the light client
does not collide with TensorFlow's own registration when both live in one process.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import wrappers_pb2 as _wrappers

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "uint32": _Field.TYPE_UINT32,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}


class Declaration:
    """The messages of one proto3 file.

    A field is written as `name=(number, "type")`, where the type is the name of a scalar such as "int64", the full name
    of a message with a dot in front, "repeated TYPE" or "map KEY VALUE".

    Args:
        package: The proto package of the messages, e.g. "tensorflow.serving".
        name: The name of the file, which must be unique in its pool.
        uses: Declarations whose messages are types of fields here; this one shares the pool of the first.

    Example:
        ssl = Declaration("tensorflow.serving", "ssl.proto")
        ssl.message("SSLConfig", server_key=(1, "string"))
        SSLConfig = ssl.build()["SSLConfig"]
    """

    def __init__(self, package: str, name: str, uses: tuple[Declaration, ...] = ()):
        self._file = descriptor_pb2.FileDescriptorProto(package=package, name=name, syntax="proto3")
        self._pool: descriptor_pool.DescriptorPool = uses[0]._pool if uses else descriptor_pool.DescriptorPool()
        if not uses:
            self._pool.AddSerializedFile(_wrappers.DESCRIPTOR.serialized_pb)
        self._file.dependency.append(_wrappers.DESCRIPTOR.name)
        self._file.dependency.extend(used._file.name for used in uses)

    def message(self, name: str, /, **fields: tuple[int, str]) -> None:
        """Adds a message to the file.

        Args:
            name: The name of the message, without the package.
            **fields: Number and type of each field, by the name of the field.
        """
        message = self._file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            self._add_field(message, field, number, kind)

    def build(self) -> dict[str, Any]:
        """Registers the file; the answer is its message classes by their names without the package."""
        self._pool.AddSerializedFile(self._file.SerializeToString())
        descriptor = self._pool.FindFileByName(self._file.name)
        return {
            name: message_factory.GetMessageClass(message) for name, message in descriptor.message_types_by_name.items()
        }

    def _add_field(self, message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
        field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        words = kind.split()
        if words[0] == "repeated":
            field.label = _Field.LABEL_REPEATED
            words = words[1:]
        if words[0] == "map":
            # proto3 maps are repeated entries of {key = 1, value = 2}.
            entry = message.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
            entry.options.map_entry = True
            self._add_field(entry, "key", 1, words[1])
            self._add_field(entry, "value", 2, words[2])
            field.label = _Field.LABEL_REPEATED
            words = [f".{self._file.package}.{message.name}.{entry.name}"]
        if words[0] in _SCALARS:
            field.type = _SCALARS[words[0]]
        else:
            field.type = _Field.TYPE_MESSAGE
            field.type_name = words[0]
