"""The targets of a tree of BUILD files, read without Bazel.

A BUILD file is close enough to Python to be run as Python, with functions that only take notes in the place of rules.
"""

import dataclasses
import functools
import pathlib
import types

FOLDERS = ("biggan_tf", "configs", "pipeline", "serving", "tests")
_RULES = "@rules_python//python:defs.bzl"


@dataclasses.dataclass
class Target:
    """A target of the kinds py_library, py_binary and py_test."""

    kind: str
    package: str
    name: str
    srcs: list[str]
    deps: list[str]
    data: list[str]

    @property
    def label(self):
        return f"//{self.package}:{self.name}"


class BuildTree:
    """The targets of a tree.

    Args:
        root: The folder of WORKSPACE.
    """

    def __init__(self, root):
        self.root, self.targets, self.others = pathlib.Path(root), {}, set()
        self._package = ""
        for folder in ("", *FOLDERS):
            for file in sorted((self.root / folder).glob("BUILD" if not folder else "**/BUILD")):
                self._package = file.parent.relative_to(self.root).as_posix().removeprefix(".")
                self._run(file)

    def canonical(self, label):
        """//a/b:c for a label as it is written in the current package."""
        if label.startswith("@"):
            return label
        if label.startswith(":") or not label.startswith("//"):
            return f"//{self._package}:{label.removeprefix(':')}"
        return label if ":" in label else f"{label}:{label.split('/')[-1]}"

    def _run(self, file):
        names = self._functions()
        names["load"] = lambda bzl, *wanted: names.update({name: self._loaded(bzl)[name] for name in wanted})
        exec(compile(file.read_text(), str(file), "exec"), names)

    def _loaded(self, bzl):
        rules = {kind: functools.partial(self._note, kind) for kind in ("py_library", "py_binary", "py_test")}
        if bzl == _RULES:
            return rules
        names = {"native": types.SimpleNamespace(glob=self._glob), "load": lambda *_: None, **rules}
        path = self.root / bzl.removeprefix("//").replace(":", "/")
        exec(compile(path.read_text(), str(path), "exec"), names)
        return names

    def _functions(self):
        def other(name, **_):
            self.others.add(f"//{self._package}:{name}")

        def nothing(*_, **__):
            pass

        return {
            "glob": self._glob,
            "alias": other,
            "filegroup": other,
            "test_suite": other,
            "package": nothing,
            "exports_files": lambda files, **_: self.others.update(f"//{self._package}:{file}" for file in files),
        }

    def _glob(self, patterns, exclude=(), **_):
        folder = self.root / self._package
        unwanted = {path for pattern in exclude for path in folder.glob(pattern)}
        found = {path for pattern in patterns for path in folder.glob(pattern)} - unwanted
        inner = [build.parent for build in folder.glob("*/**/BUILD")]
        own = [path for path in found if not any(path.is_relative_to(other) for other in inner)]
        return sorted(path.relative_to(folder).as_posix() for path in own)

    def _note(self, kind, name, srcs=(), deps=(), data=(), **_):
        files = [self.canonical(src).removeprefix("//").replace(":", "/").removeprefix("/") for src in srcs]
        labels = [self.canonical(dep) for dep in deps]
        target = Target(kind, self._package, name, files, labels, [self.canonical(item) for item in data])
        self.targets[target.label] = target
