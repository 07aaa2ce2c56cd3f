import textwrap

import pytest

from pipeline.staged import fingerprints
from pipeline.staged.imports import ImportGraph

SOURCES = {
    "app/__init__.py": 'PUBLIC = {"Late": "app.late:Late"}',
    "app/stage.py": """
        from typing import TYPE_CHECKING
        import numpy
        from app import direct
        if TYPE_CHECKING:
            from app import hints
        def run():
            from .inside import name
        """,
    "app/direct.py": "from app.deep import indirect",
    "app/deep/__init__.py": "",
    "app/deep/indirect.py": 'PARTS = {"one": "app.part:Part"}\nCOMMAND = ["python", "-m", "app.tool", "x"]',
    "app/inside.py": "name = 1",
    "app/hints.py": "",
    "app/late.py": "Late = 1",
    "app/part.py": "from ..app import direct",
    "app/tool/__init__.py": "",
    "app/tool/__main__.py": "import app.tool.own",
    "app/tool/own.py": "",
    "app/unrelated.py": "from app import stage",
    "other/__init__.py": "",
}
REACHED = {
    "app", "app.stage", "app.direct", "app.deep", "app.deep.indirect", "app.inside", "app.part", "app.tool",
    "app.tool.__main__", "app.tool.own",
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    for name, source in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(source))
    return tmp_path


def test_imports_strings_of_registries_and_commands_are_followed_and_hints_are_not(root):
    assert set(ImportGraph(root, ["app"]).reachable("app.stage")) == REACHED


def test_lazy_names_of_a_package_count_only_for_who_asks_the_package_for_them(root):
    assert "app.late" not in ImportGraph(root, ["app"]).reachable("app.stage")
    (root / "app" / "unrelated.py").write_text("from app import Late")
    assert "app.late" in ImportGraph(root, ["app"]).reachable("app.unrelated")


def test_what_is_excluded_is_not_followed(root):
    assert set(ImportGraph(root, ["app"]).reachable("app.stage", ["app.deep"])) == {
        "app", "app.stage", "app.direct", "app.inside",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "changes"), [("app/part.py", True), ("app/inside.py", True), ("app/unrelated.py", False)]
)
def test_fingerprint_changes_with_every_source_that_is_imported_and_with_no_other(root, monkeypatch, changed, changes):
    monkeypatch.setattr(fingerprints, "_ROOT", root)
    monkeypatch.setattr(fingerprints, "PACKAGES", ("app",))

    def fingerprint():
        fingerprints.of_code.cache_clear()
        fingerprints._file_hash.cache_clear()
        return fingerprints.of_code("app.stage")

    before = fingerprint()
    (root / changed).write_text(textwrap.dedent(SOURCES[changed]) + "\n# changed\n")
    assert (fingerprint() != before) == changes
    monkeypatch.undo()
    fingerprints.of_code.cache_clear()
