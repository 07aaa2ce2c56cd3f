import base64
import html.parser
import io
import re

import pytest
from PIL import Image

from biggan_tf.comparison import measurements, page, pictures
from biggan_tf.config.comparison import BudgetConfig, ComparisonEntry
from tests.biggan_tf.comparison import toy
from tests.data import made_data

VOID = {"meta", "img"}


class Checker(html.parser.HTMLParser):
    """Fails on a tag that is closed in another order than it was opened, and keeps what the page refers to."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.pictures = [], [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.targets += [values["href"]] if "href" in values else []
        if tag == "img":
            assert values["alt"]
            self.pictures.append(values["src"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def made(tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    return toy.comparison(tmp_path / "data", description="Numbers < words & pictures.")


def written(made, tmp_path, reasons=("", "", "")):
    runs = toy.runs_of(made, tmp_path)
    for run, reason in zip(runs, reasons, strict=False):
        toy.complete(run, {"fd_tiny": 3.0 + run.seed}, reason=reason)
    page.write(made, runs, measurements.collect(runs), str(tmp_path))
    text = (tmp_path / page.PAGE).read_text()
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert not re.search(r"""(src|href)=["'](?!data:image/png;base64,|#)""", text)
    assert "url(" not in text
    assert {target.removeprefix("#") for target in checker.targets} == set(checker.ids)
    return text, checker


def test_the_page_is_whole_and_needs_nothing_else(made, tmp_path):
    text, checker = written(made, tmp_path)
    assert "A &lt;toy&gt; comparison" in text
    assert "Numbers &lt; words &amp; pictures." in text
    assert len(checker.pictures) == 6  # two curves, the sheet of all runs, and one of each run
    for source in checker.pictures:
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2], validate=True))) as picture:
            picture.verify()
    assert re.findall(r'<h2 id="s\d+">([^<]*)', text) == [
        "Results",
        "In the course of training",
        "Samples",
        "Runs",
        "Settings",
        "Protocol",
    ]
    assert "A point of a curve is measured on 8 samples, the table on 16" in text
    for name in ("curves_images.png", "curves_minutes.png", "sheet.png", "sheets/hinge-1.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 10


def test_a_page_can_be_written_before_anything_is_complete(made, tmp_path):
    text, checker = written(made, tmp_path, reasons=())
    assert checker.pictures == []
    assert "3 of 3 runs are not complete yet." in text


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (BudgetConfig(minutes=20.0), "20 minutes of training, evaluations"),
        (BudgetConfig(minutes=20.0, clock="processor"), "20 minutes of training (of the processor, divided by the"),
        (BudgetConfig(images=4_000), "4,000 real images"),
    ],
)
def test_the_page_says_what_each_run_had(made, tmp_path, budget, words):
    made.budget = budget
    assert words in written(made, tmp_path, reasons=())[0]


def test_a_run_that_failed_has_no_sheet_and_is_told(made, tmp_path):
    text, checker = written(made, tmp_path, ("", "the networks collapsed", ""))
    assert len(checker.pictures) == 5
    assert "hinge with seed 1 has no numbers: the networks collapsed" in text


def test_sheets_show_images_of_equal_numbers_below_one_another(made, tmp_path):
    runs = toy.runs_of(made, tmp_path)
    toy.complete(runs[0], {"fd_tiny": 3.0})
    images = pictures.samples(runs[0])
    assert images.shape == (3, 2, 8, 8, 3)
    assert pictures.samples(runs[1]) is None
    sheet = pictures.side_by_side(runs, ("a", "b", "c"))
    assert sheet.size[0] > 3 * 96


def test_runs_without_classes_have_sheets_too(made, tmp_path):
    recipe = toy.recipe()
    recipe.model.num_classes = 0
    made.entries = (*made.entries, ComparisonEntry("unconditional", recipe))
    _, checker = written(made, tmp_path, [""] * 4)
    assert len(checker.pictures) == 7
