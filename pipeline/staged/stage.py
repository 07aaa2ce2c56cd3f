"""The stage as the runner sees it: what it reads and writes, what decides its outputs, and how to run it."""

from __future__ import annotations

import abc
import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pipeline.staged import fingerprints
from pipeline.staged.hash_memory import HashMemory
from pipeline.staged.metadata import Artifact, MetadataStore, Properties

# What every stage imports without its outputs depending on it.
_BOOKKEEPING = {
    "biggan_tf.folder_lock": "it decides which process may write",
    "biggan_tf.storage_failure": "it words an error",
    "biggan_tf.stop_signals": "it decides how a process ends",
    "biggan_tf.quiet_start": "it keeps notes of TensorFlow's start from the terminal",
    "pipeline.staged.config": "what a stage reads of it is in the stage's settings, which are hashed too",
    "pipeline.staged.fingerprints": "it decides when a stage runs, not what it writes",
    "pipeline.staged.hash_memory": "it decides which files are read again to see whether they have changed",
    "pipeline.staged.metadata": "it records what was run",
    "pipeline.staged.stage": "it says where outputs lie, not what is in them",
}
# For stages that read and count images: they import these only because a configuration can name parts of a model.
_NETWORK_PACKAGES = (
    "augmentations",
    "conditions",
    "contracts",
    "evaluation",
    "families",
    "games",
    "layers",
    "ops",
    "training",
)
NO_NETWORK = {
    **{f"biggan_tf.{package}": "the stage builds no network" for package in _NETWORK_PACKAGES},
    "biggan_tf.config": "the manifest's reader takes from it only what turns JSON into dataclasses",
}


class StageError(RuntimeError):
    """A stage failed or cannot run; the message says what must hold, what came and what to do."""


class GateError(RuntimeError):
    """A gate did not open: the stage ran without an error, but what it checked is not good enough.

    Attributes:
        stage: Name of the stage that is the gate.
    """

    def __init__(self, stage: str, reason: str):
        super().__init__(reason)
        self.stage = stage


class StageInterrupted(RuntimeError):  # noqa: N818 - not an error: the same command goes on
    """A stage was asked to stop, and has saved what it needs to continue."""


@dataclasses.dataclass(frozen=True)
class External:
    """An input that no stage has written: the raw archive, or a schema written by hand.

    Attributes:
        type: Type of the artifact in the records, e.g. "RawArchive".
        uri: Where it lies.
        fingerprint: Hash that changes with its content.
        properties: What else the records keep, e.g. {"summary": "shapes: 1800 train"}.
    """

    type: str
    uri: str
    fingerprint: str
    properties: Properties = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class StageResult:
    """What a stage says about its outputs.

    Attributes:
        properties: What the records keep of each output, by the output's key.
        fingerprints: Hashes of outputs by key; the runner hashes the files of those that are not among them.
        gate: Why the pipeline must stop here; "": it goes on.
    """

    properties: Mapping[str, Properties] = dataclasses.field(default_factory=dict)
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gate: str = ""


@dataclasses.dataclass(frozen=True)
class StageContext:
    """What a stage is given to run.

    Attributes:
        config: Configuration of the pipeline.
        inputs: The artifacts to read, by key.
        folder: Folder that this execution writes in. An execution that was killed continues in the same folder.
        beam_arguments: Beam's options as on a command line.
        pipeline_root: Folder of the pipeline.
    """

    config: Any
    inputs: Mapping[str, Artifact]
    folder: Path
    beam_arguments: Sequence[str] = ()
    pipeline_root: str = ""

    def input(self, key: str) -> Path:
        """Folder or file of an input."""
        return Path(self.inputs[key].uri)

    def output(self, key: str) -> Path:
        """Folder to write an output in; it may hold what an attempt that was killed has written."""
        path = self.folder / "outputs" / key
        path.mkdir(parents=True, exist_ok=True)
        return path

    def empty_output(self, key: str) -> Path:
        """Folder to write an output in, emptied."""
        shutil.rmtree(self.folder / "outputs" / key, ignore_errors=True)
        return self.output(key)

    def scratch(self, name: str) -> Path:
        """A folder for files that are no output; it is deleted when the execution is complete."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


class Stage(abc.ABC):
    """One step of the pipeline. A subclass sets the class attributes and writes `settings` and `run`.

    Attributes:
        name: Name of the stage, which is that of TFX's component.
        inputs: {key: (name of the stage that writes it, key of its output)}.
        outputs: {key: type of the artifact}.
        excluded_code: {module or package: why a change in it cannot change the outputs}. Every other module of ours
            that the stage's module imports, directly or indirectly, is part of the stage's code.
    """

    name: str
    inputs: ClassVar[Mapping[str, tuple[str, str]]] = {}
    outputs: ClassVar[Mapping[str, str]]
    excluded_code: ClassVar[Mapping[str, str]] = {}

    def code_fingerprint(self) -> str:
        """Hash of the code that decides the outputs: when it changes, the stage runs again."""
        excluded = (*_BOOKKEEPING, *self.excluded_code)
        return fingerprints.of_code(type(self).__module__, tuple(sorted(excluded)))

    @abc.abstractmethod
    def settings(self, config: Any) -> Any:
        """The part of the configuration that decides the outputs: when it changes, the stage runs again."""

    @abc.abstractmethod
    def run(self, context: StageContext) -> StageResult:
        """Writes every output into its folder, `context.output(key)`."""

    def externals(self, config: Any) -> dict[str, External]:
        """Inputs that no stage has written, by key; none by default."""
        del config
        return {}

    def resolve(self, config: Any, store: MetadataStore, inputs: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """Inputs from earlier runs of the pipeline, e.g. the last model that was blessed, by key; none by default.

        Args:
            config: Configuration of the pipeline.
            store: The records.
            inputs: The inputs from this run, by key.
        """
        del config, store, inputs
        return {}

    def lost(self, inputs: Mapping[str, Artifact], outputs: Mapping[str, Artifact], hashes: HashMemory) -> str:
        """A file that the stage wrote outside of its outputs, and that is gone or changed, as a sentence.

        Args:
            inputs: The inputs from this run, by key.
            outputs: The outputs of the execution that is looked at, by key.
            hashes: Hashes files, and remembers them.

        Returns:
            The sentence; "", the default: nothing is lost, and the stage is up to date.
        """
        del inputs, outputs, hashes
        return ""


def link_or_copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Gives a file a second name by a hard link, which takes no space; copies it where that is not possible.

    Args:
        source: The file.
        target: Its second name; the folders above are made.
    """
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
