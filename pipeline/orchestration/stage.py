"""What the runner knows of a stage: what it reads, what it writes, what decides its output, and how to run it."""

from __future__ import annotations

import abc
import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pipeline.orchestration.metadata import Artifact, MetadataStore, Properties


class StageError(RuntimeError):
    """A stage that failed, or cannot run; the message is all that its user needs."""


class GateError(RuntimeError):
    """A gate that did not open: the run is sound, what it made is not good enough.

    Attributes:
        stage: Whose gate.
    """

    def __init__(self, stage: str, reason: str):
        super().__init__(reason)
        self.stage = stage


class StageInterrupted(RuntimeError):  # noqa: N818 - not an error: the same command goes on
    """A stage that was asked to stop and has saved its work."""


@dataclasses.dataclass(frozen=True)
class External:
    """Something that no stage made: the raw archive, a schema written by hand."""

    type: str
    uri: str
    fingerprint: str
    properties: Properties = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a stage has to say about what it wrote.

    Attributes:
        properties: Of each output, by key.
        fingerprints: Of outputs whose content need not be read to know it, by key.
        gate: Why the pipeline must stop here; "" to go on.
    """

    properties: Mapping[str, Properties] = dataclasses.field(default_factory=dict)
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gate: str = ""


@dataclasses.dataclass(frozen=True)
class Work:
    """One execution, as a stage sees it.

    Attributes:
        config: Of the pipeline.
        inputs: Artifacts by key.
        folder: Of this execution. A killed execution is continued in the same one, with all that lies in it.
        beam_arguments: Beam's options.
        pipeline_root: Of the pipeline.
    """

    config: Any
    inputs: Mapping[str, Artifact]
    folder: Path
    beam_arguments: Sequence[str] = ()
    pipeline_root: str = ""

    def input(self, key: str) -> Path:
        """Where an input lies."""
        return Path(self.inputs[key].uri)

    def output(self, key: str) -> Path:
        """Where to write an output. It may hold what a killed attempt left there."""
        path = self.folder / "outputs" / key
        path.mkdir(parents=True, exist_ok=True)
        return path

    def empty_output(self, key: str) -> Path:
        """Where to write an output from the beginning."""
        shutil.rmtree(self.folder / "outputs" / key, ignore_errors=True)
        return self.output(key)

    def scratch(self, name: str) -> Path:
        """A folder for what is not published; it lasts as long as the execution."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


class Stage(abc.ABC):
    """Plumbing around a pure core. A subclass sets the class attributes and writes `run`.

    Attributes:
        name: As TFX calls the component.
        inputs: {key: (stage, its output's key)}.
        outputs: {key: type of artifact}.
        code: Sources that decide the output, see `fingerprints.of_code`.
    """

    name: str
    inputs: ClassVar[Mapping[str, tuple[str, str]]] = {}
    outputs: ClassVar[Mapping[str, str]]
    code: tuple[str, ...] = ()

    @abc.abstractmethod
    def settings(self, config: Any) -> Any:
        """The part of the configuration that decides the output."""

    @abc.abstractmethod
    def run(self, work: Work) -> Outcome:
        """Writes every output."""

    def externals(self, config: Any) -> dict[str, External]:
        """Inputs that no stage made, by key."""
        del config
        return {}

    def resolve(self, config: Any, store: MetadataStore, inputs: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """Inputs from earlier runs of the pipeline, by key: the last model that was blessed, say."""
        del config, store, inputs
        return {}


def link_or_copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """The same content under another name, without a second copy where the file system allows it."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
