r"""Writes the names of files as text that every reader of JSON takes, one line each, and reads them back.

A file name is bytes. Bytes that are not UTF-8 and control characters, line breaks among them, are written as `\xHH`, a
backslash, an x and two hexadecimal digits for each byte; a backslash that stands before an x and two such digits in the
name itself is written as `\x5c`. So two names never become one, and `to_bytes` gives the name back. All other names,
which are nearly all there are, stay as they are.
"""

from __future__ import annotations

import re

# Undecodable bytes, as Python keeps them in strings; control characters; and what some readers take for a line break.
_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]|\\\\(?=x[0-9a-f]{2})")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def to_text(name: str | bytes) -> str:
    """The name of a file, or a path, as text for ids, class names, JSON and messages.

    Args:
        name: The name as the system's calls return it, or the bytes in an archive.
    """
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    if name.isascii() and name.isprintable() and "\\x" not in name:
        return name
    return _ESCAPED.sub(_escape, name)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogateescape"))


def to_bytes(text: str) -> bytes:
    """The name that `to_text` was given.

    Args:
        text: What `to_text` returned, e.g. an id in rejected.jsonl.
    """
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
