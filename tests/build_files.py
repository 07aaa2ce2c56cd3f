"""Says where the BUILD files differ from the tree and its imports.

python -m tests.build_files          # what differs
python -m tests.build_files --fix    # writes the deps that the imports ask for
"""

import ast
import functools
import importlib.metadata
import pathlib
import re
import sys
import tomllib

from tests.build_tree import FOLDERS, BuildTree

REGISTRY = "biggan_tf/config/parts.py"
ROOT = pathlib.Path(__file__).resolve().parents[1]


def problems(root=ROOT):
    """Every difference between the BUILD files and the tree, each with what to do."""
    tree = BuildTree(root)
    found = [*_sources(tree), *_commands(tree), *_unknown_labels(tree), *_cycles(tree)]
    seen = set()
    for target in tree.targets.values():
        wanted = wanted_deps(tree, target)
        name = "pytest_tests" if target.kind == "py_test" else f"target {target.name}"
        where = f"{target.package}/BUILD, {name}"
        if wanted is None or where in seen:
            continue
        seen.add(where)
        for dep in sorted(wanted - set(target.deps)):
            found.append(
                f'{where}: its sources import {_why(tree, target, dep)}; add "{short(dep, target.package)}" to deps'
            )
        for dep in sorted(set(target.deps) - wanted):
            found.append(f'{where}: nothing imports "{short(dep)}"; remove it from deps')
    return found


def wanted_deps(tree, target):
    """The labels that a target's imports ask for; None where its deps are for whoever depends on it."""
    if not target.srcs:
        return None
    owners, wanted = _owners(tree), set()
    for file in _files(tree, target):
        for name in _imports(tree.root, file):
            wanted.add(owners.get(name) if name.endswith(".py") else name)
    if target.kind == "py_test":
        wanted |= {owners.get(f"{folder}/conftest.py") for folder in _above(target.package)}
    if target.kind in ("py_test", "py_binary") and _reaches(tree, wanted, owners.get(REGISTRY)):
        wanted |= {owners.get(file) for file in _registered(tree.root)}
    return wanted - {None, target.label}


def _reaches(tree, labels, wanted):
    """Whether a target is among labels or what they depend on."""
    seen, left = set(), [label for label in labels if label]
    while left:
        label = left.pop()
        if label == wanted:
            return True
        if label not in seen:
            seen.add(label)
            left += tree.targets[label].deps if label in tree.targets else []
    return False


@functools.cache
def _registered(root):
    """Files that the registry imports by name when they are asked for."""
    strings = re.findall(r'"([\w.]+):\w+"', (root / REGISTRY).read_text())
    return sorted({name.replace(".", "/") + ".py" for name in strings})


def short(label, where=""):
    """//a/b for //a/b:b, and :c for //a/b:c inside of a/b."""
    package, _, name = label.partition(":")
    if package == f"//{where}":
        return f":{name}"
    return package if package.split("/")[-1] == name else label


def _files(tree, target):
    """A target's sources; the tests of a package are one, for they share their deps."""
    if target.kind != "py_test":
        return sorted(target.srcs)
    together = [t for t in tree.targets.values() if t.kind == "py_test" and t.package == target.package]
    return sorted({src for other in together for src in other.srcs})


def _owners(tree):
    """The target of every source file but the tests."""
    return {src: label for label, target in tree.targets.items() if target.kind != "py_test" for src in target.srcs}


def _above(package):
    parts = package.split("/")
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


@functools.cache
def _imports(root, file):
    """Files of the tree (packages on the way included) and @pypi labels that a file imports."""
    found = set(_initialisers(root, file.removesuffix(".py").split("/")))
    for name in _imported_names((root / file).read_text()):
        if name.split(".")[0] in FOLDERS:
            found |= _module_files(root, name.split("."))
        elif name.split(".")[0] not in sys.stdlib_module_names:
            found.add(f"@pypi//{distribution(name)}")
    return found


# By the text: the tests ask for copies of the tree in which all files but one are the same.
@functools.cache
def _imported_names(text):
    """The modules, and the names in modules, that a run of a file imports: not those below `if TYPE_CHECKING`."""
    names, waiting = [], [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            waiting += ast.iter_child_nodes(node)
    return tuple(names)


def _initialisers(root, parts):
    folders = ["/".join(parts[:i]) for i in range(1, len(parts))]
    return [f"{folder}/__init__.py" for folder in folders if (root / folder / "__init__.py").exists()]


def _module_files(root, parts):
    found = set(_initialisers(root, [*parts, ""]))
    for end in range(1, len(parts) + 1):
        if (root / "/".join(parts[:end])).with_suffix(".py").is_file():
            found.add("/".join(parts[:end]) + ".py")
    return found


# Reads the lists of files of all that is installed.
_packages_distributions = functools.cache(importlib.metadata.packages_distributions)


@functools.cache
def distribution(name):
    """The normalised name of the package that an import comes from."""
    if name.startswith("google.protobuf"):
        return "protobuf"
    known = _packages_distributions().get(name.split(".")[0], [name.split(".")[0]])
    return re.sub(r"[-.]+", "_", known[0]).lower()


def _why(tree, target, dep):
    """One of the imports that ask for a dependency."""
    owners = _owners(tree)
    for file in _files(tree, target):
        for name in sorted(_imports(tree.root, file)):
            if dep in (name, owners.get(name)):
                return f"{name} (in {file})"
    return "what is in a conftest.py above them"


def _sources(tree):
    """Every Python file is in exactly one target."""
    owned = {}
    for target in tree.targets.values():
        for src in target.srcs:
            owned.setdefault(src, []).append(target)
    for folder in FOLDERS:
        for path in sorted((tree.root / folder).rglob("*.py")):
            file = path.relative_to(tree.root).as_posix()
            targets = owned.pop(file, [])
            if not targets:
                package, name = file.rsplit("/", 1)
                yield f'{package}/BUILD: {file} is in no target; let the package\'s glob take "{name}"'
            elif len(targets) > 1 and file != "tests/run_pytest.py":
                yield f"{file} is in {', '.join(target.label for target in targets)}; one must be enough"
            elif file.endswith("_test.py") and targets[0].kind != "py_test":
                yield f"{targets[0].label}: {file} is a test; exclude it there and let pytest_tests take it"
    yield from (f"{targets[0].label}: the source {file} does not exist" for file, targets in owned.items())


def _commands(tree):
    """Every console script has its py_binary."""
    project = tomllib.loads((tree.root / "pyproject.toml").read_text())["project"]
    for script, entry in project["scripts"].items():
        file = entry.split(":")[0].replace(".", "/") + ".py"
        if not any(t.kind == "py_binary" and file in t.srcs for t in tree.targets.values()):
            package, name = file.rsplit("/", 1)
            yield f'{package}/BUILD: {script} has no py_binary; add one with srcs = ["{name}"], and keep it out of glob'


def _unknown_labels(tree):
    for target in tree.targets.values():
        for label in (*target.deps, *target.data):
            known = label.startswith("@") or label in tree.targets or label in tree.others
            if not known and not (tree.root / label.removeprefix("//").replace(":", "/").removeprefix("/")).exists():
                yield f"{target.label} names {label}, which does not exist"


def _cycles(tree):
    done, path = set(), []

    def visit(label):
        if label in path:
            circle = path[path.index(label) :]
            start = circle.index(min(circle))  # so that it is told alike from wherever it was reached
            return " -> ".join([*circle[start:], *circle[: start + 1]])
        if label in done or label not in tree.targets:
            return None
        path.append(label)
        found = next(filter(None, map(visit, tree.targets[label].deps)), None)
        path.pop()
        done.add(label)
        return found

    return [
        f"deps go round in a circle: {circle}; split the library" for circle in filter(None, map(visit, tree.targets))
    ]


def fix(root=ROOT):
    """Writes the deps that the imports ask for; what else differs is left to a person."""
    tree = BuildTree(root)
    for target in tree.targets.values():
        wanted = wanted_deps(tree, target)
        if wanted is None or wanted == set(target.deps):
            continue
        path = tree.root / target.package / "BUILD"
        text = path.read_text()
        start = text.index("pytest_tests(\n" if target.kind == "py_test" else f'name = "{target.name}"')
        end = text.index("\n)", start) + 1
        block = re.sub(r"    deps = \[[^]]*\],\n", "", text[start:end])
        labels = sorted((short(label, target.package) for label in wanted), key=_place)
        deps = "    deps = [\n" + "".join(f'        "{label}",\n' for label in labels) + "    ],\n" if labels else ""
        path.write_text(text[:start] + block + deps + text[end:])


def _place(label):
    """Ours before the others, as buildifier sorts."""
    return label.startswith("@"), label.startswith("//"), label.replace(":", "!")


def main(arguments):
    if "--fix" in arguments:
        fix()
    found = problems()
    print("\n".join(found) or "The BUILD files agree with the tree.")  # noqa: T201 - the output
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
