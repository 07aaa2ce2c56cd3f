"""Hypothesis strategies for hostile input: names of files, tar archives, image files, and damage to either."""

import io
import tarfile

from hypothesis import strategies as st

from tests.pipeline import archives, pictures

_FORMATS = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)  # both hold every name
_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


def names():
    """Names of files as the system's calls return them: any bytes but zero and the slash, and hardly ever hidden."""
    as_bytes = st.one_of(
        st.binary(min_size=1, max_size=120),
        st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    )
    cleaned = as_bytes.map(lambda name: name.replace(b"\0", b"0").replace(b"/", b"-").lstrip(b".") or b"x")
    return cleaned.map(lambda name: name.decode("utf-8", "surrogateescape"))


def members():
    """[(name, content)] of an archive, each name once. No content looks like a header, which has bytes below 128."""
    contents = st.integers(0, 2000).map(lambda size: bytes(128 + index % 128 for index in range(size)))
    return st.lists(st.tuples(names(), contents), max_size=6, unique_by=lambda member: member[0])


@st.composite
def sound_archives(draw, of=None):
    """(members, bytes) of an archive in a format that holds every name."""
    listed = draw(members() if of is None else of)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=draw(st.sampled_from(_FORMATS))) as archive:
        for name, content in listed:
            archives.add(archive, name, content)
    return listed, buffer.getvalue()


@st.composite
def damaged(draw, data):
    """Bytes with one to four of: flipped bits, a part that is missing, doubled, of zeros or of noise; or cut off."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(result) - 1)))
        size = draw(st.sampled_from((1, 4, 100, 512, 1024)))
        match draw(st.sampled_from(("flip", "remove", "double", "zero", "noise", "cut"))):
            case "flip" if result:
                result[place] ^= 1 << draw(st.integers(0, 7))
            case "remove":
                del result[place : place + size]
            case "double":
                result[place:place] = result[place : place + size]
            case "zero":
                result[place : place + size] = bytes(len(result[place : place + size]))
            case "noise":
                result[place : place + 16] = draw(st.binary(min_size=1, max_size=16))
            case "cut":
                del result[place:]
    return bytes(result)


@st.composite
def damaged_archives(draw):
    """(members, bytes) of an archive that was damaged, at times with checksums that were put right afterwards."""
    listed, data = draw(sound_archives())
    data = draw(damaged(data))
    if draw(st.booleans()):
        blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
        data = b"".join(archives.signed(block) if block[257:262] == b"ustar" else block for block in blocks)
    return listed, data


def pictures_of_any_kind():
    """Files of pictures, sound ones and those that claim to be huge."""
    sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
    sound = st.builds(
        lambda size, seed, kind, mode: pictures.encoded(
            pictures.photograph(*size, seed), kind, "RGB" if (kind, mode) == ("JPEG", "P") else mode
        ),
        sizes, st.integers(0, 3), st.sampled_from(_IMAGE_FORMATS), st.sampled_from(("RGB", "L", "P")),
    )  # fmt: skip
    return st.one_of(sound, st.sampled_from(pictures.BOMBS).map(lambda bomb: bomb()))


def damaged_pictures():
    """Files of pictures that were damaged."""
    return pictures_of_any_kind().flatmap(damaged)
