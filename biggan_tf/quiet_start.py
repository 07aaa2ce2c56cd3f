"""Keeps TensorFlow's start-up notes from the terminal: which CPU instructions it uses, that it found no GPU driver.

`TF_CPP_MIN_LOG_LEVEL` silences some of them. Others are written by static initialisers of the shared libraries, which
look at no variable; they are taken out of stderr while `import tensorflow` runs. Everything else passes through.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Sequence
from types import ModuleType

_NOTES = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)|I0000 .* (port|cudart_stub|cpu_feature_guard)\.cc:\d+\]"
)
_STDERR = 2


def install() -> None:
    """Arranges for the next `import tensorflow` to be quiet; once, however often it is called."""
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds what the others find, but loads `tensorflow` through a `_QuietLoader`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    """Runs another loader with the notes taken out of stderr.

    Args:
        loader: The real one; the module keeps it.
    """

    def __init__(self, loader: importlib.abc.Loader):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with _Filter():
            self._loader.exec_module(module)


class _Filter:
    """Lets stderr through line by line, without the notes."""

    def __enter__(self) -> None:
        self._stderr = os.dup(_STDERR)
        reader, writer = os.pipe()
        os.dup2(writer, _STDERR)
        os.close(writer)
        self._thread = threading.Thread(target=_pass_on, args=(reader, self._stderr), daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        os.dup2(self._stderr, _STDERR)  # the pipe's last writer is gone, so that the thread ends
        self._thread.join()
        os.close(self._stderr)


def _pass_on(reader: int, stderr: int) -> None:
    with open(reader, "rb") as lines:
        for line in lines:
            if not _NOTES.match(line):
                os.write(stderr, line)
