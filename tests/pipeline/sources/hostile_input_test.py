"""Whatever comes in: each image is accounted for exactly once, or the run ends with an error of the pipeline."""

import collections
import io
import json
import os
import warnings

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing import crops
from pipeline.preprocessing.decoding import SourceImage
from pipeline.sources import names, tar_archive
from tests.pipeline import archives, pictures, running, strategies

STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
RESIZERS = [crops.make_resizer(name) for name in crops.NAMES]


def listed(data):
    return [
        (member.name, data[member.offset : member.offset + member.size], member.kind)
        for member in tar_archive.members(io.BytesIO(data), "a.tar")
    ]


@STEADY
@given(strategies.names())
def test_escaped_names_are_one_line_and_give_the_name_back(name):
    text = names.to_text(name)
    assert text.splitlines() == [text]
    assert json.loads(json.dumps(text).encode()) == text
    assert names.to_bytes(text) == os.fsencode(name)
    assert names.to_text(os.fsencode(name)) == text


@STEADY
@given(st.lists(strategies.names(), unique=True))
def test_different_names_stay_different(several):
    assert len({names.to_text(name) for name in several}) == len(several)


@STEADY
@given(strategies.sound_archives())
def test_sound_archives_are_listed_to_the_last_byte(drawn):
    members, data = drawn
    assert listed(data) == [(names.to_text(name), content, "file") for name, content in members]


@pytest.mark.slow
@pytest.mark.attack
def test_damaged_archives_account_for_every_member_or_are_refused(attack):
    counts = collections.Counter()

    @settings(STEADY, max_examples=600)
    @given(strategies.damaged_archives())
    def check(drawn):
        _, data = drawn
        try:
            found = list(tar_archive.members(io.BytesIO(data), "a.tar"))
        except PipelineError:
            counts["refused"] += 1
            return
        counts["read"] += 1
        # Each byte up to the end marker belongs to a header or to one member.
        end = 0
        for member in found:
            assert end + 512 <= member.offset
            assert not data[end + -end % 512 : member.offset - 512].strip(b"\0") or member.offset - end > 1024
            end = member.offset + member.size
        assert not data[end + -end % 512 :].strip(b"\0")
        assert len(data) % 512 == 0
        assert len({member.name for member in found}) == len(found)

    check()
    tries = counts.total()
    outcome = f"{counts['refused']} refused, {counts['read']} read up to their end, nothing passed over"
    attack("data", "archives with damaged, missing, doubled and zeroed parts (Hypothesis)", tries, tries, outcome)


@pytest.mark.slow
@pytest.mark.attack
def test_damaged_pictures_become_pixels_or_rejections(attack):
    counts = collections.Counter()

    @settings(STEADY, max_examples=600)
    @given(strategies.damaged_pictures(), st.sampled_from(RESIZERS))
    def check(data, resize):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of much that it then reads or refuses
            try:
                pixels = resize(SourceImage(data, 1 << 20), [8])[8]
            except RejectedImageError as error:
                counts[error.reason] += 1
                return
        counts["pixels"] += 1
        assert pixels.shape == (8, 8, 3)

    check()
    tries = counts.total()
    outcome = f"{counts['pixels']} decoded, {tries - counts['pixels']} rejected with a reason, no other error"
    attack("data", "damaged image files through every crop (Hypothesis)", tries, tries, outcome)


@pytest.mark.slow
@pytest.mark.attack
def test_archive_of_damaged_pictures_is_accounted_for_to_the_last_one(tmp_path, attack):
    count = 1000
    train, originals = collections.defaultdict(list), collections.Counter()
    for seed in range(count):
        synset = f"n0000000{seed % 4}"
        kind, data = ("sound", pictures.encoded(pictures.photograph(20, 20, seed), "PNG"))
        if seed % 2:
            kind, data = pictures.damaged(seed // 2)
        originals[kind] += 1
        train[synset].append((f"{synset}_{seed}.JPEG", data))
    archives.write(tmp_path / "in", train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"input": str(tmp_path / "in"), "max_rejected_fraction": 0.99, "max_pixels": 1_000_000}
        assert running.preprocess(tmp_path / "out", "imagenet_tars", **options) == 0
    folder = tmp_path / "out" / "16"
    rejected = [json.loads(line)["id"] for line in (folder / "rejected.jsonl").read_bytes().splitlines()]
    records = tf.data.TFRecordDataset([str(path) for path in folder.glob("*.tfrecord")])
    stored = [tf.train.Example.FromString(r.numpy()).features.feature["image/filename"] for r in records]
    stored = [value.bytes_list.value[0].decode() for value in stored]
    expected = sorted(f"train/{synset}/{name}" for synset, members in train.items() for name, _ in members)
    assert sorted(stored + rejected) == expected
    del originals["sound"]
    outcome = f"{len(stored)} in shards, {len(rejected)} in rejected.jsonl, none in both or in neither"
    attack("data", f"images in archives, half of them damaged in {len(originals)} ways", count, count, outcome)
