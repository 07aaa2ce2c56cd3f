import collections
import json
import pathlib

import pytest

from pipeline.preprocessing import plan, preflight, progress, storage
from pipeline.preprocessing.progress import marked
from pipeline.preprocessing.settings import Allowances, Settings
from pipeline.sources.item import FILE, NOTHING_LEFT_OUT, Item


class Listed:
    expected_layout = ""
    left_out = NOTHING_LEFT_OUT

    def __init__(self, items):
        self._items = items

    def items(self):
        return iter(self._items)

    def declared_classes(self):
        return frozenset()


def make_items(count, **fields):
    return [
        Item(
            f"{index}.png", "train" if index % 5 else "validation", f"c{index % 3}", FILE, f"/in/{index}.png", 0, index
        )
        for index in range(count)
    ]


def planned(items, **settings):
    index = plan.Index(Listed(items), settings.get("seed", 0))
    names = preflight.check(index.census, frozenset(), None, Allowances(), "")
    return index, plan.make_plan(index, names, Settings(**settings))


def order(index, split):
    return [item.example_id for item in index.items(split, 0, index.num_images(split))]


def test_every_image_is_in_one_shard_and_shards_are_of_equal_size(tmp_path):
    index, made = planned(make_items(1000), num_shards=7)
    with index:
        tasks = plan.write_tasks(index, made, str(tmp_path))
    assert made.num_shards == {"train": 7, "validation": 2}
    sizes, seen = collections.defaultdict(list), []
    for task in tasks:
        lines = [json.loads(line) for line in pathlib.Path(task).read_text().splitlines()]
        sizes[task.rpartition("/")[2].split("-")[0]].append(len(lines))
        seen += [(label, Item(*values)) for label, values in lines]
    assert {split: max(counts) - min(counts) <= 1 for split, counts in sizes.items()} == {
        "train": True,
        "validation": True,
    }
    assert sorted(item.example_id for _, item in seen) == sorted(f"{index}.png" for index in range(1000))
    assert all(item.class_name == f"c{label}" for label, item in seen)


def test_order_depends_on_names_and_seed_not_on_the_order_of_listing():
    items = make_items(300)
    first, _ = planned(items)
    with first, planned(items[::-1])[0] as reversed_, planned(items, seed=1)[0] as other:
        assert order(first, "train") == order(reversed_, "train")
        assert order(first, "train") != order(other, "train")
        assert order(first, "train") != sorted(order(first, "train"))


def test_removing_an_image_moves_no_other():
    items = make_items(300)
    with planned(items)[0] as whole, planned(items[:-1])[0] as smaller:
        gone = items[-1].example_id
        assert [name for name in order(whole, "train") if name != gone] == order(smaller, "train")


@pytest.mark.parametrize("change", ["seed", "recipe", "image_format", "max_pixels", "num_shards"])
def test_fingerprint_changes_with_each_setting_that_decides_the_content(change):
    values = {"seed": 1, "recipe": "adm", "image_format": "raw", "max_pixels": 7, "num_shards": 3}
    items = make_items(100)
    with planned(items)[0] as index, planned(items, **{change: values[change]})[0] as other:
        names = ("c0", "c1", "c2")
        first = plan.make_plan(index, names, Settings())
        second = plan.make_plan(other, names, Settings(**{change: values[change]}))
    assert first.fingerprint != second.fingerprint


def test_fingerprint_changes_with_the_listing_and_the_schema():
    items = make_items(100)
    with planned(items)[0] as index, planned(items[:-1])[0] as other:
        names = ("c0", "c1", "c2")
        prints = {
            plan.make_plan(index, names, Settings()).fingerprint,
            plan.make_plan(other, names, Settings()).fingerprint,
            plan.make_plan(index, names, Settings(), "feature {}").fingerprint,
        }
    assert len(prints) == 3


def test_number_of_shards_follows_the_size():
    assert plan._shards_for(1_281_167, 31_700) == 512  # ImageNet at 128 as PNG
    assert plan._shards_for(500, 31_700) == 16
    assert plan._shards_for(20, 31_700) == 2
    assert plan._shards_for(1, 31_700) == 1


def test_write_atomically_leaves_nothing_else_and_replaces(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    for content in (b"one", b"two"):
        storage.write_atomically(str(path), content)
    assert [entry.read_bytes() for entry in path.parent.iterdir()] == [b"two"]


def test_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), storage.atomic_path(str(path)):
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"


def test_a_listing_that_fails_at_the_end_does_not_fail_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "marked", lambda folder: (_ for _ in ()).throw(OSError("no answer")))
    index, made = planned(make_items(100))
    with index, progress.ProgressBar(str(tmp_path), made, enabled=True):
        pass


def test_progress_is_the_size_of_the_workers_files(tmp_path):
    assert marked(str(tmp_path / "none")) == 0
    (tmp_path / "a").write_bytes(b"...")
    (tmp_path / "b").write_bytes(b".....")
    assert marked(str(tmp_path)) == 8
