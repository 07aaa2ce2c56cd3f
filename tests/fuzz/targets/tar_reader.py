"""The reader of tar archives.

In data that begins with S, every block that looks like a header is given the checksum that its content asks for, since
hardly any change of a header would get past its checksum. All other data is an archive behind the first byte.
"""

import io

from pipeline.errors import PipelineError
from pipeline.sources import names, tar_archive
from tests.pipeline import archives

_BLOCK = 512


def _signed(data: bytes) -> bytes:
    blocks = [data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK)]
    looks_like_header = (len(block) == _BLOCK and block[257:262] == b"ustar" for block in blocks)
    return b"".join(
        archives.signed(block) if is_header else block
        for block, is_header in zip(blocks, looks_like_header, strict=True)
    )


def fuzz_one(data: bytes) -> None:
    """Reads the data; what is listed must lie in the archive, one member behind the other, under names of their own."""
    archive = _signed(data[1:]) if data[:1] == b"S" else data[1:]
    try:
        members = list(tar_archive.members(io.BytesIO(archive), "a.tar"))
    except PipelineError as error:
        message = str(error)
        assert message.startswith("a.tar must be a complete, uncompressed tar archive: ")
        assert len(message) < 20_000
        return
    end = 0
    for member in members:
        assert end + _BLOCK <= member.offset
        end = member.offset + member.size
        assert member.name.splitlines() == [member.name]
        assert names.to_text(names.to_bytes(member.name)) == member.name
    assert end + 2 * _BLOCK <= len(archive)
    files = [member.name for member in members if member.kind != tar_archive.FOLDER]
    assert len(files) == len(set(files))
    tar_archive.enclosed_member(archive)
