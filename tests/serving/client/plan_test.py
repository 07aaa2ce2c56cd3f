"""What a caller asks for becomes a request, or one ClientError that says what is wrong with it."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from biggan_tf.data.class_names import ClassNameError, ClassNames
from serving import signatures as s
from serving.client import ClientError, plan
from serving.client.plan import (
    LabelMap,
    image_inputs,
    latent_inputs,
    picture_inputs,
    sample_inputs,
    split,
    style_inputs,
    synthesis_inputs,
)

CLASSES = [
    ("n01", "Tench"),
    ("n02", "great_white-shark"),
    ("n03", "crane"),
    ("n04", "hen"),
    ("n05", "Crane"),
    ("7", "7"),
    ("n07", "five-pointed star"),
    ("3", "3"),
    ("n09", "jack-o'-lantern"),
    ("n10", "minus -1"),
]
Z = np.zeros((3, 8), np.float32)


def labels(*entries):
    known = LabelMap()
    known.learn(json.dumps([{"synset": synset, "name": name} for synset, name in entries]), "the server")
    return known


COMMANDS = ClassNames(tuple(synset for synset, _ in CLASSES), tuple(name for _, name in CLASSES))


@pytest.mark.parametrize(
    "text",
    [
        "tench", "TENCH", "n01", "Great white shark", "great-white_shark", "great - white -shark", "n05", "7", "_7",
        "0", "five pointed  star", "--7", "3-", "jack o' lantern", "Jack-o'-lantern", "Minus_-1",
    ],
)  # fmt: skip
def test_a_class_that_the_commands_find_is_the_same_class_here(text):
    assert labels(*CLASSES).resolve([text]).tolist() == [COMMANDS.label(text)]


@pytest.mark.parametrize(
    "text",
    [
        "crane", "CRANE", "10", "9" * 12, "hens", "wite shark", "star", "N01", "-1", "_-1", "-7", "minus 1", "1.5",
        "zebra",
    ],
)  # fmt: skip
def test_a_text_that_the_commands_refuse_is_refused_in_their_words(text):
    with pytest.raises(ClassNameError) as theirs:
        COMMANDS.label(text)
    with pytest.raises(ClientError) as ours:
        labels(*CLASSES).resolve([text])
    assert str(ours.value).lower().rstrip(".") == str(theirs.value).lower().rstrip(".")


def test_a_name_of_two_classes_is_refused_with_their_indices():
    with pytest.raises(ClientError, match=re.escape("'crane' names 2 classes; say which by its index: [2, 4]")):
        labels(*CLASSES).resolve(["crane"])


def test_a_text_of_digits_that_is_a_name_is_that_class_and_a_number_an_index():
    assert labels(*CLASSES).resolve(["7", "3", "4", 7, np.int64(3)]).tolist() == [5, 7, 4, 7, 3]


@pytest.mark.parametrize("text", ["-1", "--1", "", " "])
def test_a_sign_belongs_to_its_number_and_an_empty_text_names_nothing(text):
    with pytest.raises(ClientError, match=rf"There is no class '{text}'\..* Give an index, a synset or a name\."):
        labels(*CLASSES).resolve([text])


def test_threads_that_learn_the_names_at_once_find_every_class_once(monkeypatch):
    known, both, plain = LabelMap(), threading.Barrier(2, timeout=60), plan._plain

    def plain_of_both_threads(name):
        if name == "second":
            both.wait()
        return plain(name)

    text = json.dumps([{"name": name} for name in ("first", "second", "third")])
    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(plan, "_plain", plain_of_both_threads)
        list(pool.map(lambda _: known.learn(text, "the server"), range(2)))
    assert known.resolve(["first", "second", "third"]).tolist() == [0, 1, 2]


def test_another_thread_needs_the_names_until_all_are_learnt(monkeypatch):
    known, needed, plain = LabelMap(), [], plan._plain
    with monkeypatch.context() as patch:
        patch.setattr(plan, "_plain", lambda name: (needed.append(known.needs_names(["hen"])), plain(name))[1])
        known.learn('[{"name": "crane"}, {"name": "hen"}]', "the server")
    assert needed == [True, True]
    assert not known.needs_names(["hen"])


def test_classes_without_synsets_are_found_by_name():
    known = LabelMap()
    known.learn('[{"name": "crane"}, {"name": "hen"}, {"name": "crane"}, {}]', "the server")
    assert known.resolve(["hen", "3"]).tolist() == [1, 3]
    with pytest.raises(ClientError, match=r"names 2 classes.*\[0, 2\]"):
        known.resolve(["crane"])


def test_a_model_without_classes_takes_the_label_0():
    assert labels().resolve(["0", 0]).tolist() == [0, 0]


def test_names_are_needed_for_texts_until_it_is_known_that_nobody_tells_them():
    known, refused = LabelMap(), ClientError("not supported", grpc.StatusCode.INVALID_ARGUMENT)
    assert not known.needs_names([1, np.int32(2)])
    assert known.needs_names(["1"])
    with pytest.raises(ClientError, match=r"by their index, or with the labels\.json"):
        known.go_without(["1", "hen"], refused)
    for code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNAUTHENTICATED"):
        away = ClientError("away", grpc.StatusCode[code])
        with pytest.raises(ClientError, match="away"):
            known.go_without(["1"], away)
    assert known.needs_names(["1"])
    known.go_without(["1", 2], refused)
    assert not known.needs_names(["1"])
    assert known.needs_names(["hen"])
    assert known.resolve(["1", 2]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: LabelMap().resolve([2**31]), "Each label must be an integer from -2147483648 to 2147483647"),
        (lambda: LabelMap().resolve([0, -(2**40)]), f"Received: -{2**40}"),
        (lambda: LabelMap().resolve(["9" * 15]), "Each label must be an integer"),
        (lambda: LabelMap().resolve(["9" * 5000]), "There is no class '999"),
        (lambda: sample_inputs(np.zeros(1, np.int32), [2**63], 0.5), f"Each seed must be .* Received: {2**63}"),
        (lambda: sample_inputs(np.zeros(1, np.int32), np.array([2**63], np.uint64), 0.5), f"Received: {2**63}"),
        (lambda: latent_inputs([2**64], 0.5), "Each seed must be an integer"),
        (lambda: latent_inputs([float("inf")], 0.5), "Each seed must be an integer .* Received: inf"),
        (lambda: picture_inputs([b""], [-(2**70)]), "Each seed must be an integer"),
        (lambda: synthesis_inputs(np.zeros((1, 4, 8)), iter([2**63])), "Each seed must be an integer"),
        (lambda: style_inputs(Z, None, 1.0, 2**31), "Each cutoff must be an integer"),
        (lambda: style_inputs(Z, None, 1.0, np.array([0, 1, 2**40])), f"Each cutoff .* Received: {2**40}"),
    ],
)
def test_an_integer_that_its_type_cannot_hold_is_one_error(build, said):
    with pytest.raises(ClientError, match=said):
        build()


def test_integers_may_come_in_any_form():
    for seeds in (range(2), iter([0, 1]), np.arange(2), [np.int8(0), 1], (0, 1)):
        assert latent_inputs(seeds, 0.5)[s.SEED].tolist() == [0, 1]
    for cutoff in (3, np.int64(3), np.array(3), [3, 3, 3]):
        assert style_inputs(Z, None, 1.0, cutoff)[s.CUTOFF].tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    "inputs",
    [
        lambda: {s.LABEL: np.zeros(0, np.int32)},
        lambda: picture_inputs([], None),
        lambda: image_inputs(Z[:0], None, np.zeros(0)),
        lambda: style_inputs(Z[:0], None, 1.0, None),
        lambda: synthesis_inputs(np.zeros((0, 4, 8)), None),
        lambda: latent_inputs([], 0.5),
    ],
)
def test_a_call_for_nothing_is_refused(inputs):
    with pytest.raises(ClientError, match="Ask for at least one row"):
        list(split(inputs(), 8))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (lambda: image_inputs(Z, np.eye(2, 3), np.ones(3)), r"same number of rows. Received: z \[3, 8\], .*y \[2, 3\]"),
        (lambda: style_inputs(Z, np.eye(4), 1.0, None), r"same number of rows. Received: .*y \[4, 4\]"),
        (lambda: image_inputs(Z, None, np.ones(2)), r"one truncation for each of the 3 rows"),
        (lambda: {s.LABEL: np.int32(3)}, r"same number of rows. Received: label \[\]"),
    ],
)
def test_inputs_of_unequal_numbers_of_rows_are_refused(inputs, said):
    with pytest.raises(ClientError, match=said):
        list(split(inputs(), 8))


def test_rows_are_split_in_their_order():
    parts = list(split(image_inputs(np.arange(10.0).reshape(5, 2), None, np.full(5, 0.5)), 2))
    assert [len(part[s.LATENT]) for part in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([part[s.LATENT] for part in parts]).ravel(), np.arange(10.0))
