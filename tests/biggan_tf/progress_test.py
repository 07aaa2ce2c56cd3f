"""What is said of work that takes long."""

import pytest

from biggan_tf import progress


def test_items_are_passed_on_and_counted(capsys):
    assert list(progress.track(iter("abc"), 3, "letters", "letter")) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "letters: 100%" in err
    assert "3/3" in err


def test_nothing_is_said_unless_it_is_asked_for(capsys):
    assert list(progress.track([1, 2], 2, "numbers", "number", shown=False)) == [1, 2]
    with progress.Parts(["one"], shown=False) as parts:
        parts.begin("one")
    assert capsys.readouterr() == ("", "")


def test_parts_are_named_while_they_are_done(capsys):
    with progress.Parts(["load", "measure"]) as parts:
        parts.begin("load")
        parts.begin("measure")
    err = capsys.readouterr().err
    assert "load:   0%" in err
    assert "measure:  50%" in err
    assert "measure: 100%" in err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2.0, "0 s"),
        (3.2, "3 s"),
        (59.0, "1 min"),
        (600, "10 min"),
        (3900, "1 h 05 min"),
        (90000, "25 h 00 min"),
        (187_200, "2 days 4 h"),
    ],
)
def test_lengths_of_time_are_short(seconds, text):
    assert progress.duration(seconds) == text
