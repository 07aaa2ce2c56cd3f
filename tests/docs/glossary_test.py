"""docs/glossary.md against the code: what it names exists, and no two classes share a name."""

import ast
import importlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
ENTRIES = [
    (word, meaning, re.findall(r"`([^`]+)`", code))
    for word, meaning, code in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", GLOSSARY, re.MULTILINE)
    if word != "word"
]
# Classes that share a name though neither extends the other, each with the reason.
SHARED = {}


def exists(name):
    """Whether a file, or a module with the attributes behind it, has this name; a dataclass has its fields."""
    if "/" in name:
        return (ROOT / name).exists()
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            place = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(place, part) and part not in getattr(place, "__annotations__", {}):
                return False
            place = getattr(place, part, None)
        return True
    return False


def test_the_glossary_is_one_that_a_person_reads():
    assert 35 <= len(ENTRIES) <= 75
    for word, meaning, code in ENTRIES:
        assert meaning.endswith("."), word
        assert code, word


def test_no_word_is_explained_twice():
    words = [word for entry, _, _ in ENTRIES for word in entry.split(", ")]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", [name for _, _, names in ENTRIES for name in names])
def test_what_the_glossary_names_exists(name):
    assert exists(name)


@pytest.mark.parametrize("name", ["biggan_tf.nothing", "biggan_tf.latents.nothing", "biggan_tf/nothing.py", "nothing"])
def test_a_name_that_does_not_exist_is_noticed(name):
    assert not exists(name)


def bases_of(node):
    return [ast.unparse(base).split(".")[-1] for base in node.bases]


def shared_names(root):
    """Names of public classes that are defined more than once, with their files; a class may extend its namesake.

    It may do so by way of classes of other names, too.
    """
    classes = []
    for package in ("biggan_tf", "pipeline", "serving"):
        for file in sorted((root / package).rglob("*.py")):
            nodes = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
            classes += [(node.name, bases_of(node), str(file.relative_to(root))) for node in nodes]
    bases_by_name = {name: bases for name, bases, _ in classes}
    places = {}
    for name, bases, file in classes:
        ways = [bases, *(bases_by_name.get(base, []) for base in bases)]
        if not name.startswith("_") and not any(name in way for way in ways):
            places.setdefault(name, []).append(file)
    return {name: files for name, files in places.items() if len(files) > 1}


def test_no_two_classes_share_a_name():
    assert {name: files for name, files in shared_names(ROOT).items() if name not in SHARED} == {}


def test_classes_that_share_a_name_are_found(tmp_path):
    for package, text in (
        ("biggan_tf", "class A: pass\nclass B: pass"),
        ("serving", "class A: pass\nclass B(x.B): pass"),
    ):
        (tmp_path / package).mkdir()
        (tmp_path / package / "m.py").write_text(text)
    assert shared_names(tmp_path) == {"A": ["biggan_tf/m.py", "serving/m.py"]}
