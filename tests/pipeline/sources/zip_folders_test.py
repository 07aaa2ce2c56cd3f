"""A zip of class folders: the records of the unpacked folders, and a hostile archive is refused or accounted for."""

import json
import zipfile

import pytest

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening
from pipeline.sources.item import REFUSED
from tests.pipeline import running
from tests.pipeline.sources.read_back import read


def zip_of(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def listed(path):
    source = opening.open_source(ExamplesConfig("zip", str(path)))
    return list(source.items()), source.left_out


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_records_of_a_zip_are_those_of_its_folders(tmp_path, method):
    running.write_images(tmp_path / "in", {"train/a": 5, "train/b": 4, "val/a": 2, "val/b": 2})
    files = {str(p.relative_to(tmp_path / "in")): p.read_bytes() for p in sorted((tmp_path / "in").rglob("*.png"))}
    zip_of(tmp_path / "in.zip", files, method)
    assert running.preprocess(tmp_path / "folders", "folders", input=str(tmp_path / "in")) == 0
    assert running.preprocess(tmp_path / "zip", "zip", input=str(tmp_path / "in.zip")) == 0
    ours, theirs = (running.contents(tmp_path / name / "16") for name in ("zip", "folders"))
    records = [name for name in theirs if name.endswith(".tfrecord")]
    assert records
    assert {name: ours[name] for name in records} == {name: theirs[name] for name in records}


@pytest.mark.parametrize("around", ["", "pack/"])
@pytest.mark.parametrize("split", ["", "train/"])
def test_a_class_folder_without_images_counts_as_in_unpacked_folders(tmp_path, split, around):
    running.write_images(tmp_path / "in", {f"{split}a": 2, f"{split}c": 2})
    (tmp_path / "in" / split / "b").mkdir()
    (tmp_path / "in" / split / "d").mkdir()
    (tmp_path / "in" / split / "d" / "notes.txt").write_text("no images")
    (tmp_path / "in" / split / ".hidden" / "e").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in sorted((tmp_path / "in").rglob("*")):
            archive.write(path, f"{around}{path.relative_to(tmp_path / 'in')}")
        archive.writestr("__MACOSX/f/._1.png", b"")
    for source, path in (("folders", "in"), ("zip", "in.zip")):
        assert opening.open_source(ExamplesConfig(source, str(tmp_path / path))).declared_classes() == set("abcd")
        with pytest.raises(PipelineError, match="without any are 'b', 'd'"):
            running.preprocess(tmp_path / source, source, input=str(tmp_path / path))
        running.preprocess(tmp_path / source, source, input=str(tmp_path / path), allow=["empty_classes"])
        assert running.load(tmp_path / source).label_names == ("a", "b", "c", "d")


@pytest.mark.parametrize("source", ["folders", "zip"])
def test_folders_of_splits_without_images_are_named(tmp_path, source):
    members = {"cat/1.png": b"1", "dog/2.png": b"2", "test/readme.txt": b"none", "val/a/list.csv": b"none"}
    path = zip_of(tmp_path / "a.zip", members)
    if source == "folders":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "a")
        path = tmp_path / "a"
    wanted = r"none was found in the folders that name splits: test/, val/\. What .* is left out \(here 2\)"
    with pytest.raises(PipelineError, match=wanted):
        list(opening.open_source(ExamplesConfig(source, str(path))).items())


def test_a_name_in_two_encodings_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a/日本.jpg": b"1", "b/2.png": b"2"})
    content = bytearray(path.read_bytes())
    assert int.from_bytes(content[6:8], "little") & 0x800
    content[7] &= 0xF7  # the header in front of the first member no longer says that its name is UTF-8
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"日本\.jpg is described differently in the directory and in front of"):
        listed(path)


def test_a_folder_around_all_others_and_what_macos_adds_are_passed_over(tmp_path):
    members = {"pack/a/1.png": b"1", "pack/b/2.png": b"22", "__MACOSX/pack/a/1.png": b"x", "pack/a/.DS_Store": b"x"}
    items, left_out = listed(zip_of(tmp_path / "a.zip", {**members, "pack/notes.txt": b"x"}))
    assert [(item.example_id, item.class_name, item.split) for item in items] == [
        ("a/1.png", "a", "train"),
        ("b/2.png", "b", "train"),
    ]
    assert sorted(left_out.values()) == [1, 2]
    assert [read(item) for item in items] == [b"1", b"22"]


def test_a_dot_in_front_of_all_names_is_passed_over(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"./train/a/1.png": b"1", "./val/b/2.png": b"2"})
    assert [(item.example_id, item.class_name, item.split) for item in listed(path)[0]] == [
        ("train/a/1.png", "a", "train"),
        ("val/b/2.png", "b", "validation"),
    ]
    assert opening.open_source(ExamplesConfig("zip", str(path))).declared_classes() == {"a", "b"}


def test_a_picture_outside_of_class_folders_is_told(tmp_path):
    with pytest.raises(PipelineError, match=r"holds 1\.png directly, so it has no label"):
        listed(zip_of(tmp_path / "a.zip", {"1.png": b"1", "a/2.png": b"2"}))


def test_members_that_lead_out_links_and_encrypted_ones_are_rejected(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/../../b.png", b"1")
        link = zipfile.ZipInfo("a/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a/sound.png", b"2")
    items, _ = listed(path)
    assert {item.example_id: item.detail for item in items if item.kind == REFUSED} == {
        "a/../../b.png": "unsafe_member",
        "a/link.png": "archive_link",
    }


def test_a_bomb_is_unpacked_to_its_limit_alone(tmp_path):
    items, _ = listed(zip_of(tmp_path / "a.zip", {"a/1.png": bytes(1 << 22), "b/2.png": b"2"}))
    with pytest.raises(RejectedImageError, match="max_image_bytes"):
        read(items[0], max_bytes=1 << 20)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    place = content.index(b"PK\1\2") + 24  # the size in the directory, as a liar would write it
    content[place : place + 4] = (100).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    items, _ = listed(tmp_path / "a.zip")
    with pytest.raises(RejectedImageError, match="does not unpack to the 100 bytes"):
        read(items[0], max_bytes=1 << 20)


def test_a_member_that_has_changed_is_rejected(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a/1.png": b"picture", "b/2.png": b"2"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"picture", b"pickure"))
    items, _ = listed(path)
    with pytest.raises(RejectedImageError, match="another size or checksum"):
        read(items[0])


def _with_another_name(content):
    return content.replace(b"a/1.png", b"b/1.png", 1)


def _cut(content):
    return content[:-5]


def _overlapping(content):
    place = content.rindex(b"PK\1\2") + 42  # where the directory says that the second member begins
    return content[:place] + bytes(4) + content[place + 4 :]


@pytest.mark.attack
def test_damaged_archives_are_one_clear_error(tmp_path, attack):
    sound = zip_of(tmp_path / "a.zip", {"a/1.png": b"picture", "a/2.png": b"picture"}).read_bytes()
    tries = [
        _with_another_name(sound),
        _cut(sound),
        _overlapping(sound),
        sound.replace(b"a/2.png", b"a/1.png"),
        b"",
        b"PK\3\4",
        bytes(4096),
    ]
    tries += [sound[:end] for end in range(1, len(sound), 7)]
    for content in tries:
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(PipelineError, match=r"must be a complete zip archive: ") as caught:
            listed(tmp_path / "b.zip")
        assert len(str(caught.value)) < 2_000
    attack("data", "damaged and lying zip archives", len(tries), len(tries), "one clear error each")


def test_any_change_of_a_byte_is_an_error_a_rejection_or_harmless(tmp_path):
    sound = zip_of(tmp_path / "a.zip", {"a/1.png": b"picture" * 9, "b/2.png": b"second"}).read_bytes()
    for position in range(len(sound)):
        changed = bytearray(sound)
        changed[position] ^= 0x41
        (tmp_path / "b.zip").write_bytes(changed)
        try:
            items, _ = listed(tmp_path / "b.zip")
        except PipelineError:
            continue
        for item in items:
            try:
                content = read(item)
            except RejectedImageError:
                continue
            assert content in (b"picture" * 9, b"second")
        assert json.dumps([item.to_line() for item in items])
