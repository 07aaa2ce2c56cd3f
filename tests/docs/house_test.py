"""CONTRIBUTING's picture of the packages against the imports of the tree."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def drawn(text):
    """The nodes of the Mermaid block, as packages, and its arrows."""
    (block,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    packages, outer = {}, ""
    for line in map(str.strip, block.splitlines()):
        if line.startswith("subgraph "):
            outer = line.split()[1]
        elif line == "end":
            outer = ""
        elif outer and "-" not in line:
            packages[line] = f"{outer}.{line}"
    arrows = re.findall(r"^ *(\w+) --> (\w+)$", block, re.MULTILINE)
    return set(packages.values()), {(packages[a], packages[b]) for a, b in arrows}


def nodes_that_run(tree):
    """All nodes but those below `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def imported_names(text):
    names = []
    for node in nodes_that_run(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def real(packages, root=ROOT):
    """The arrows between packages that their imports ask for, each with one of the imports."""
    arrows = {}
    for package in packages:
        place = root / package.replace(".", "/")
        for file in [*place.rglob("*.py"), *([place.with_suffix(".py")] if place.with_suffix(".py").exists() else [])]:
            for name in imported_names(file.read_text()):
                target = ".".join(name.split(".")[:2])
                if target in packages and target != package:
                    arrows.setdefault((package, target), f"{file.relative_to(root)} imports {name}")
    return arrows


def reached(arrows, start):
    """All that a package leads to along arrows."""
    seen, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        waiting += [b for a, b in arrows if a == here and b not in seen]
        seen |= {b for a, b in arrows if a == here}
    return seen


PACKAGES, ARROWS = drawn(CONTRIBUTING)


@pytest.fixture(scope="module")
def imports():
    return real(PACKAGES)


def test_the_picture_has_all_packages():
    folders = {f"biggan_tf.{path.parent.name}" for path in (ROOT / "biggan_tf").glob("*/__init__.py")}
    folders |= {f"pipeline.{path.parent.name}" for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert folders <= PACKAGES
    assert {"biggan_tf.types", "biggan_tf.files", "serving.export", "serving.server", "serving.client"} <= PACKAGES
    for package in PACKAGES:
        place = ROOT / package.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").exists(), package


def test_every_arrow_is_an_import(imports):
    assert set(imports) >= ARROWS


def test_every_import_follows_from_the_arrows(imports):
    missing = {arrow: why for arrow, why in imports.items() if arrow[1] not in reached(ARROWS, arrow[0])}
    assert not missing, missing


def test_no_arrow_points_back(imports):
    assert [package for package in PACKAGES if package in reached(set(imports), package)] == []


def test_no_arrow_follows_from_the_others():
    assert [arrow for arrow in ARROWS if arrow[1] in reached(ARROWS - {arrow}, arrow[0])] == []


@pytest.mark.parametrize(
    ("line", "arrows"), [("import a.two.x", 1), ("from a import two", 1), ("from a.two import x", 1)]
)
def test_an_import_is_seen_in_each_of_its_forms(tmp_path, line, arrows):
    for name in ("one", "two"):
        (tmp_path / "a" / name).mkdir(parents=True)
    (tmp_path / "a/one/m.py").write_text(f"def f():\n    {line}\n")
    assert len(real({"a.one", "a.two"}, tmp_path)) == arrows


def test_an_import_for_type_checkers_is_not_counted(tmp_path):
    (tmp_path / "a/one").mkdir(parents=True)
    (tmp_path / "a/one/m.py").write_text("if TYPE_CHECKING:\n    from a.two import x\n")
    assert real({"a.one", "a.two"}, tmp_path) == {}


def test_the_reading_order_names_files_that_exist():
    section = CONTRIBUTING.partition("## Read the code in this order")[2].partition("\n## ")[0]
    files = re.findall(r"^\d+\. `([\w/.]+)`:", section, re.MULTILINE)
    assert files[:2] == ["biggan_tf/contracts/game.py", "biggan_tf/training/gan.py"]
    assert 10 <= len(files) <= 14
    assert [file for file in files if not (ROOT / file).exists()] == []
