"""Which modules a module imports, directly or indirectly, read from the sources without running them.

The imports inside functions count like those at the top; those under `if TYPE_CHECKING:` do not, for they never run. A
module can also be named by a string: "package.module:Name" in a registry whose parts are imported on demand, or the
word after "-m" in the command of a process. Both count as imports.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

_REGISTERED = re.compile(r"([A-Za-z_]\w*(?:\.\w+)+):[A-Za-z_]\w*")


@dataclasses.dataclass(frozen=True)
class _Names:
    """What one source names.

    Attributes:
        imports: (module, name) of each import statement; the name is "" for `import module`.
        registered: Modules of its strings "module:Name".
        commands: Modules that it starts by "-m".
    """

    imports: frozenset[tuple[str, str]]
    registered: frozenset[str]
    commands: frozenset[str]


class ImportGraph:
    """The modules below a folder, and what each of them imports.

    Args:
        root: The folder that holds the packages.
        packages: Names of the packages to follow. Imports of others, such as NumPy, are left out.
    """

    def __init__(self, root: Path, packages: Sequence[str]):
        self._root, self._packages = root, tuple(packages)

    def reachable(self, module: str, excluded: Collection[str] = ()) -> dict[str, Path]:
        """The source of a module and of everything that it imports, by the modules' names.

        Args:
            module: Where to begin, e.g. "pipeline.staged.stages.trainer".
            excluded: Modules and packages that are neither part of the answer nor followed.

        Raises:
            ModuleNotFoundError: If there is no such module below the root.
        """
        if self._source(module) is None:
            raise ModuleNotFoundError(f"a module below {self._root} must be named. Received: {module}")
        seen: set[tuple[str, bool]] = set()
        open_ends = [(module, True)]
        while open_ends:
            entry = open_ends.pop()
            if entry not in seen and not _is_below(entry[0], excluded):
                seen.add(entry)
                open_ends.extend(self._imports(*entry))
        sources = {name: self._source(name) for name, _ in sorted(seen)}
        return {name: source for name, source in sources.items() if source is not None}

    def _imports(self, module: str, with_registered: bool) -> Iterator[tuple[str, bool]]:
        """(module, whether its strings count) of each import.

        A package that lists its public names in strings and imports them when they are asked for would otherwise drag
        all of them in whenever one of its modules is imported.
        """
        source = self._source(module)
        if source is None:
            return
        names = _names(source, module)
        for base, name in names.imports:
            if name and self._source(f"{base}.{name}") is not None:
                yield from self._with_packages(f"{base}.{name}")
            else:
                yield from self._with_packages(base)
        for command in names.commands:
            yield from self._with_packages(command)
            yield from self._with_packages(f"{command}.__main__")
        if with_registered:
            for registered in names.registered:
                yield from self._with_packages(registered)

    def _with_packages(self, module: str) -> Iterator[tuple[str, bool]]:
        """A module with the packages around it, whose `__init__` runs first."""
        parts = module.split(".")
        if parts[0] in self._packages and self._source(module) is not None:
            yield module, True
            yield from ((".".join(parts[:count]), False) for count in range(1, len(parts)))

    def _source(self, module: str) -> Path | None:
        path = self._root.joinpath(*module.split("."))
        return next((source for source in (path / "__init__.py", path.with_suffix(".py")) if source.is_file()), None)


def _is_below(module: str, packages: Collection[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@functools.cache
def _names(source: Path, module: str) -> _Names:
    tree = ast.parse(source.read_bytes(), str(source))
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    imports: set[tuple[str, str]] = set()
    registered: set[str] = set()
    commands: set[str] = set()
    for node in _nodes_that_run(tree):
        if isinstance(node, ast.Import):
            imports.update((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            imports.update((base, alias.name) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = _REGISTERED.fullmatch(node.value)
            registered.update([match[1]] if match else [])
        elif isinstance(node, ast.List | ast.Tuple):
            words = [word.value if isinstance(word, ast.Constant) else None for word in node.elts]
            commands.update(str(word) for flag, word in itertools.pairwise(words) if flag == "-m" and word)
    return _Names(frozenset(imports), frozenset(registered), frozenset(commands))


def _nodes_that_run(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = iter(node.orelse)
    for child in children:
        yield from _nodes_that_run(child)
