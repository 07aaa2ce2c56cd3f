"""Archives of every format that Python's tarfile writes are listed as tarfile lists them; hostile ones are refused."""

import io
import random
import tarfile

import pytest

from pipeline.errors import PipelineError
from pipeline.sources import tar_archive
from tests.pipeline import archives


def written(members, tar_format=tarfile.GNU_FORMAT, **options):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format, **options) as archive:
        for name, content in members:
            archives.add(archive, name, content)
    return buffer.getvalue()


def members(data):
    return list(tar_archive.members(io.BytesIO(data), "a.tar"))


FORMATS = (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT)


@pytest.mark.parametrize("tar_format", FORMATS)
def test_members_are_those_that_tarfile_lists(tar_format):
    long = "" if tar_format == tarfile.USTAR_FORMAT else "a" * 150
    contents = [(f"folder-{'b' * 80}/{long}{index}.png", bytes(index * 300)) for index in range(9)]
    contents.append(("ö/ü.png", b"x"))
    data = written(contents, tar_format)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = [(member.name, tar_archive.FILE, member.offset_data, member.size) for member in archive]
    assert [tuple(member) for member in members(data)] == expected
    assert [name for name, *_ in expected] == [name for name, _ in contents]


def test_folders_links_devices_and_sparse_files_are_told_apart():
    buffer = io.BytesIO()
    kinds = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE)
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for index, kind in enumerate(kinds):
            header = tarfile.TarInfo(f"{index}")
            header.type = kind
            archive.addfile(header)
        sparse = tarfile.TarInfo("sparse")
        sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "own/name"}
        sparse.size = 3
        archive.format = tarfile.PAX_FORMAT
        archive.addfile(sparse, io.BytesIO(b"abc"))
    listed = [(member.name, member.kind) for member in members(buffer.getvalue())]
    other = [(str(index), tar_archive.OTHER) for index in range(1, 5)]
    assert listed == [("0/", "folder"), *other, ("5", "file"), ("own/name", "sparse")]


def test_sparse_files_of_old_gnu_archives_are_passed_over_with_their_map():
    data = bytearray(written([("sparse", b"abc"), ("next", b"def")]))
    data[156:157], data[482:483] = b"S", b"\1"  # the map of holes goes on in the next block
    data[:512] = archives.signed(data[:512])
    data[512:512] = bytes(504) + b"\0" + bytes(7)
    first, second = members(bytes(data))
    assert (first.kind, first.offset, second.name) == ("sparse", 1024, "next")


def test_names_that_are_not_utf_8_are_escaped_and_can_be_read_back():
    data = written([("caf\udce9.png", b"x"), ("two\nlines", b"y"), ("a\\xe9", b"z")])
    assert [member.name for member in members(data)] == ["caf\\xe9.png", "two\\x0alines", "a\\x5cxe9"]


def test_number_beyond_the_octal_digits_is_read():
    data = bytearray(written([("a", b"abc")]))
    data[124:136] = b"\x80" + bytes(10) + b"\3"
    data[:512] = archives.signed(data[:512])
    assert members(bytes(data))[0].size == 3


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (b"77777777777\0", "a has 8,589,934,591 bytes by its header, 9,728 are left"),
        (b"\x80" + b"\xff" * 11, "are left"),
        (b"\xff" * 12, "its numbers are not octal"),
        (b"-0000000003\0", "its numbers are not octal"),
        (b"0o000000003\0", "its numbers are not octal"),
        (b"00_00000003\0", "its numbers are not octal"),
        (b"00000000009\0", "its numbers are not octal"),
    ],
)
def test_impossible_sizes_are_refused(size, message):
    data = bytearray(written([("a", b"abc")]))
    data[124:136] = size
    data[:512] = archives.signed(data[:512])
    with pytest.raises(PipelineError, match=message):
        members(bytes(data))


@pytest.mark.parametrize(
    "records",
    [
        b"9 path=ab",
        b"99 path=ab\n",
        b"path=ab\n",
        b"0 path=a\n",
        b"-1 path=a\n",
        b"10 path:ab\n",
        b"9 =abcde\n",
        b"5 \n",
    ],
)
def test_damaged_pax_records_are_refused(records):
    data = bytearray(written([("a" * 200, b"abc")], tarfile.PAX_FORMAT))
    data[512 : 512 + len(records)] = records
    data[124:136] = f"{len(records):011o}\0".encode()
    data[:512] = archives.signed(data[:512])
    with pytest.raises(PipelineError, match="a pax header is damaged"):
        members(bytes(data))


def test_a_size_of_more_digits_than_a_size_has_is_refused():
    data = bytearray(written([("a" * 200, b"abc")], tarfile.PAX_FORMAT))
    record = b"32 size=" + b"0" * 21 + b"12\n"
    data[512:1024] = record.ljust(512, b"\0")
    data[124:136] = f"{len(record):011o}\0".encode()
    data[:512] = archives.signed(data[:512])
    with pytest.raises(PipelineError, match="the size in a pax header is no number of bytes"):
        members(bytes(data))


def test_extension_of_a_gigabyte_and_global_names_are_refused():
    data = bytearray(written([("a" * 200, b"abc")]))
    data[124:136] = f"{1 << 30:011o}\0".encode()
    data[:512] = archives.signed(data[:512])
    with pytest.raises(PipelineError, match="a header extension claims 1,073,741,824 bytes"):
        members(bytes(data))
    data = written([("a", b"abc")], tarfile.PAX_FORMAT, pax_headers={"path": "b"})
    with pytest.raises(PipelineError, match="a global header says path"):
        members(data)


@pytest.mark.attack
def test_a_member_of_another_kind_hides_no_member(attack):
    data = written([(f"{index}.png", bytes([200]) * 700) for index in range(4)])
    counts = {"refused": 0, "listed": 0}
    kinds = [bytes([byte]) for byte in range(256)]
    for kind in kinds:
        changed = bytearray(data)
        changed[1536 + 156 : 1536 + 157] = kind  # of the second member
        changed[1536:2048] = archives.signed(changed[1536:2048])
        try:
            listed = members(bytes(changed))
        except PipelineError:
            counts["refused"] += 1
            continue
        assert [member.name for member in listed] == ["0.png", "1.png", "2.png", "3.png"], kind
        counts["listed"] += 1
    changed[1536 + 156] = ord("K")
    changed[1536:2048] = archives.signed(changed[1536:2048])
    with pytest.raises(PipelineError, match=r"1\.png is marked as the long name of another member"):
        members(bytes(changed))
    outcome = f"{counts['refused']} refused, {counts['listed']} list all members"
    attack("data", "every kind of member in the place of a file, with a sound checksum", 256, 256, outcome)


@pytest.mark.attack
@pytest.mark.parametrize("tar_format", FORMATS)
def test_bits_of_headers_and_long_names_may_flip(tar_format, attack):
    name = "ab/" * 25 + "{}.png" if tar_format == tarfile.USTAR_FORMAT else "ab/" * 70 + "{}.png"
    data = written([(name.format(index), bytes([200]) * 700) for index in range(8)], tar_format)
    headers = [at for at in range(0, len(data), 512) if data[at : at + 1].strip(b"\0\xc8")]
    draws, refused = random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[draws.choice(headers) + draws.randrange(512)] ^= 1 << draws.randrange(8)
        try:
            assert [member.size for member in members(bytes(damaged))] == [700] * 8
        except PipelineError:
            refused += 1
    kind = {tarfile.GNU_FORMAT: "GNU", tarfile.USTAR_FORMAT: "ustar", tarfile.PAX_FORMAT: "pax"}[tar_format]
    outcome = f"{refused} refused, {300 - refused} list all members"
    attack("data", f"one bit flipped in the headers, long names included, of a {kind} archive", 300, 300, outcome)


def test_header_inside_a_content_is_found_at_any_border_of_blocks():
    inner = written([("inner.png", b"x")])[:512]
    image = bytes(range(256)) * 20
    assert tar_archive.enclosed_member(image + bytes(512 - len(image) % 512 or 512) + inner) == "inner.png"
    assert tar_archive.enclosed_member(image[:1024] + inner + image) == "inner.png"
    for content in (b"", b"x", image, bytes(5000), b"0" * 5000, image[:100] + inner, inner[:511]):
        assert not tar_archive.enclosed_member(content)
