import pytest

from pipeline.errors import PipelineError
from pipeline.preprocessing import preflight
from pipeline.preprocessing.settings import Allowances

LAYOUT = "  INPUT/train/<class>/<image>"


def census(**splits):
    made = preflight.Census()
    for split, counts in splits.items():
        for name, count in counts.items():
            for index in range(count):
                made.add(split, name, f"{split}/{name}/{index}")
    return made


def check(made, declared=(), labels=None, **allow):
    return preflight.check(made, frozenset(declared), labels, Allowances(**allow), LAYOUT)


def test_sound_input_gives_sorted_class_names():
    assert check(census(train={"b": 2, "a": 1}, validation={"a": 1, "b": 1}), ["a", "b"], ("b", "a")) == ("a", "b")


WRONG = {
    "single_class": (census(train={"imagenet": 9}), (), None, r"there is only one, 'imagenet'.*one level too high"),
    "empty_classes": (census(train={"a": 1, "b": 1}), ("a", "b", "c"), None, "without any is 'c'"),
    "class_in_one_split": (
        census(train={"a": 1, "b": 1}, validation={"a": 1}),
        (),
        None,
        "in train but not in validation is 'b'",
    ),
    "label_mismatch": (
        census(train={"a": 1, "b": 1}),
        (),
        ("a", "c"),
        r"only in the file is 'c'; only in the input is 'b'",
    ),
}


@pytest.mark.parametrize("allowance", WRONG)
def test_each_wrong_layout_has_its_own_text_with_what_was_seen_and_expected(allowance):
    made, declared, labels, message = WRONG[allowance]
    with pytest.raises(PipelineError, match=message) as caught:
        check(made, declared, labels)
    text = str(caught.value)
    assert f"--allow_{allowance}" in text
    assert f"Layout seen:\n{made.layout()}" in text
    assert f"Layout expected:\n{LAYOUT}" in text
    others = [other for other in WRONG if other != allowance]
    assert not any(f"--allow_{other}" in text for other in others)


@pytest.mark.parametrize("allowance", WRONG)
def test_each_is_allowed_on_purpose(allowance):
    made, declared, labels, _ = WRONG[allowance]
    names = check(made, declared, labels, **{allowance: True})
    assert names == tuple(sorted(set(made.class_names) | set(declared)))


def test_class_only_in_validation_is_found_too():
    with pytest.raises(PipelineError, match="in validation but not in train is 'c'"):
        check(census(train={"a": 1, "b": 1}, validation={"a": 1, "b": 1, "c": 1}))


def test_no_images_at_all():
    with pytest.raises(PipelineError, match="There must be images; none was found"):
        check(census())


def test_many_names_are_abbreviated():
    names = tuple(f"n{index:04d}" for index in range(100))
    with pytest.raises(PipelineError, match=r"'n0005' and 94 more"):
        check(census(train={"a": 1, "b": 1}), labels=names)
