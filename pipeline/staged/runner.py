"""Runs stages in their order. A stage that is up to date is not run again, and one that was killed is continued.

    ROOT/metadata.sqlite                                the records of what was run
    ROOT/STAGE/KEY/EXECUTION/                           the artifacts, in TFX's layout
    ROOT/STAGE/.executions/EXECUTION.json               the record of one execution, see `execution_records`
    ROOT/.system/executor_execution/EXECUTION/          where an execution writes until its outputs are complete
    ROOT/.system/hashes.json                            hashes of the artifacts' files, see `hash_memory`

A stage is up to date when every file of its outputs has the content that it had when the stage ended, and what it wrote
elsewhere is there, too.

When a stage has ended, its outputs are renamed to their final names, and then one transaction records them. If the run
was killed between the two, the next run moves the folders back and continues the stage. A stage can be a gate: it is
complete, but says that the pipeline must not go on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import socket
import sqlite3
import time
import uuid
from collections.abc import Sequence
from importlib import metadata as distributions
from pathlib import Path
from typing import Any

from biggan_tf.config import checks
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from pipeline.errors import UsageError
from pipeline.staged import execution_records, fingerprints
from pipeline.staged.execution_records import WORK, ExecutionRecord
from pipeline.staged.hash_memory import HashMemory
from pipeline.staged.metadata import Artifact, EventType, Execution, ExecutionState, Properties
from pipeline.staged.stage import External, GateError, Stage, StageContext, StageError, StageInterrupted, StageResult

PIPELINE, RUN = "pipeline", "pipeline_run"  # types of contexts, as TFX names them
_LOGGER = logging.getLogger(__name__)
_LIBRARIES = ("tensorflow", "keras", "apache-beam", "numpy")


@dataclasses.dataclass(frozen=True)
class Report:
    """What the runner says of one stage.

    Attributes:
        stage: Name of the stage.
        outputs: Its artifacts by key.
        was_run: Whether it was run; False: it was up to date.
        seconds: How long it ran.
    """

    stage: str
    outputs: dict[str, Artifact]
    was_run: bool
    seconds: float


class Runner:
    """One run of a pipeline; a context manager that locks the pipeline's folder against other runs.

    Args:
        root: Folder of the pipeline; it is made if it is not there.
        config: Configuration of the pipeline, whose `name` is recorded.
        beam_arguments: Beam's options as on a command line; none: Beam runs in this process.

    Example:
        >>> with Runner("/data/pipeline", config) as runner:
        ...     reports = runner.run(STAGES, until="Evaluator")
    """

    def __init__(self, root: str | os.PathLike, config: Any, beam_arguments: Sequence[str] = ()):
        self._root = Path(root).absolute()
        self._config, self._beam_arguments = config, tuple(beam_arguments)
        self._outputs: dict[tuple[str, str], Artifact] = {}
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Runner:
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._closing = stack.pop_all()
        return self

    def _open(self, stack: contextlib.ExitStack) -> None:
        try:
            stack.enter_context(FolderLock(self._root))
        except FolderInUseError as error:
            raise StageError(f"Another run works in {self._root} now. {error}") from error
        self._store = stack.enter_context(execution_records.open_store(self._root))
        self._hashes = HashMemory(self._root / ".system" / "hashes.json")
        run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
        self._contexts = [self._store.add_context(PIPELINE, self._config.name), self._store.add_context(RUN, run_id)]

    def __exit__(self, *unused: object) -> None:
        self._closing.close()

    def run(self, stages: Sequence[Stage], until: str = "") -> list[Report]:
        """Brings every stage up to date.

        Args:
            stages: The stages; each must stand behind those whose outputs it reads.
            until: Name of the last stage to run; "": all stages.

        Returns:
            What each stage has written, in their order.

        Raises:
            UsageError: If there is no such stage.
            GateError: If a stage says that the pipeline must not go on.
            StageError: If a stage failed.
            StageInterrupted: If the run was asked to stop; the same call continues it.
        """
        names = [stage.name for stage in stages]
        if until and until not in names:
            raise UsageError(
                f"--until must be one of {', '.join(names)}. Received: {until!r}; {checks.nearest(until, names)}"
            )
        last = names.index(until) if until else len(names) - 1
        reports = []
        for number, stage in enumerate(stages[: last + 1], 1):
            reports.append(self._bring_up_to_date(stage, f"[{number}/{len(names)}] {stage.name}"))
        return reports

    def _bring_up_to_date(self, stage: Stage, title: str) -> Report:
        inputs = self._inputs(stage)
        code = stage.code_fingerprint()
        settings = stage.settings(self._config)
        described = {key: artifact.fingerprint for key, artifact in inputs.items()}
        fingerprint = fingerprints.of_values([stage.name, settings, described, code])
        earlier = self._store.executions(stage.name, fingerprint=fingerprint)
        for execution in reversed(earlier):
            outputs = self._intact_outputs(stage, execution, inputs)
            if outputs is not None:
                _LOGGER.info("%s: up to date, made by execution %d", title, execution.id)
                self._record_cached(stage, execution, inputs, outputs)
                return self._finish(stage, execution, outputs, was_run=False, seconds=0.0)
        execution = self._begin(stage, title, earlier, fingerprint, settings, code, inputs)
        start = time.monotonic()
        result = self._execute(stage, execution, inputs)
        seconds = time.monotonic() - start
        outputs = self._publish(stage, execution, inputs, result, seconds)
        _LOGGER.info("%s: done in %.1f s", title, seconds)
        completed = dataclasses.replace(execution, properties={**execution.properties, "gate": result.gate})
        return self._finish(stage, completed, outputs, was_run=True, seconds=seconds)

    def _inputs(self, stage: Stage) -> dict[str, Artifact]:
        inputs = {key: self._outputs[source] for key, source in stage.inputs.items()}
        for key, external in stage.externals(self._config).items():
            inputs[key] = self._external(external)
        return {**inputs, **stage.resolve(self._config, self._store, inputs)}

    def _external(self, external: External) -> Artifact:
        for artifact in self._store.artifacts(external.type):
            if (artifact.uri, artifact.fingerprint) == (external.uri, external.fingerprint):
                return artifact
        with self._store.transaction():
            properties = {**external.properties, "fingerprint": external.fingerprint}
            return self._store.add_artifact(external.type, external.uri, properties)

    def _intact_outputs(
        self, stage: Stage, execution: Execution, inputs: dict[str, Artifact]
    ) -> dict[str, Artifact] | None:
        """The artifacts of a complete execution by key; None if a file of them, or what it wrote elsewhere, changed."""
        if execution.state != ExecutionState.COMPLETE:
            return None
        outputs = self._store.outputs(execution.id)
        problem = "its outputs are not on record" if set(outputs) != set(stage.outputs) else ""
        for key, artifact in outputs.items():
            problem = problem or self._change(execution, key, artifact)
        problem = problem or stage.lost(inputs, outputs, self._hashes)
        if problem:
            _LOGGER.warning("%s, execution %d: %s. It is run again.", stage.name, execution.id, problem)
            return None
        self._hashes.save()
        return outputs

    def _change(self, execution: Execution, key: str, artifact: Artifact) -> str:
        """What has changed in an artifact since it was made, as a clause; "": nothing."""
        digests = self._hashes.of_folder(artifact.uri)
        content, sizes = artifact.properties.get("content"), artifact.properties.get("sizes")
        if content == fingerprints.of_files(digests):
            return ""
        if content is None and sizes == fingerprints.sizes(artifact.uri):
            # From before contents were hashed. The sizes are the same, so the contents of now are recorded as right.
            self._store.set_artifact_properties(artifact.id, {"content": fingerprints.of_files(digests)})
            return ""
        record = execution_records.read(self._root, execution.type, execution.id)
        before = record.files.get(key, {}) if record else {}
        names = sorted(name for name in {*before, *digests} if before.get(name) != digests.get(name)) if before else []
        shown = f": {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}" if names else ""
        return f"{artifact.uri} has changed or gone since it was made{shown}"

    def _begin(
        self,
        stage: Stage,
        title: str,
        earlier: Sequence[Execution],
        fingerprint: str,
        settings: Any,
        code: str,
        inputs: dict[str, Artifact],
    ) -> Execution:
        """Records a new execution, or continues one of the same fingerprint that a kill or an error ended."""
        unfinished = [
            e for e in earlier if e.state in (ExecutionState.RUNNING, ExecutionState.FAILED, ExecutionState.CANCELED)
        ]
        running: Properties = {"host": socket.gethostname(), "pid": os.getpid()}
        if unfinished:
            execution = unfinished[-1]
            _LOGGER.info("%s: goes on with execution %d", title, execution.id)
            attempts = int(execution.properties.get("attempts", 1)) + 1
            with self._store.transaction():
                self._store.update_execution(execution.id, ExecutionState.RUNNING, {**running, "attempts": attempts})
                self._associate(execution)
            self._take_back(stage, execution)
            return execution
        versions = {name: distributions.version(name) for name in _LIBRARIES}
        properties: Properties = {
            **running,
            "attempts": 1,
            "fingerprint": fingerprint,
            "settings": json.dumps(settings, default=dataclasses.asdict, sort_keys=True),
            "code": code,
            "versions": json.dumps(versions),
        }
        with self._store.transaction():
            execution = self._store.add_execution(stage.name, ExecutionState.RUNNING, properties)
            for key, artifact in inputs.items():
                self._store.add_event(artifact.id, execution.id, EventType.INPUT, key)
                self._attribute(artifact)
            self._associate(execution)
            execution_records.write(self._root, ExecutionRecord(execution, inputs))
        _LOGGER.info("%s: execution %d", title, execution.id)
        return execution

    def _execute(self, stage: Stage, execution: Execution, inputs: dict[str, Artifact]) -> StageResult:
        context = StageContext(
            self._config, inputs, self._work_folder(execution), self._beam_arguments, str(self._root)
        )
        context.folder.mkdir(parents=True, exist_ok=True)
        try:
            return stage.run(context)
        except (StageInterrupted, KeyboardInterrupt):
            self._record_end(execution, ExecutionState.CANCELED, {})
            raise
        except Exception as error:
            self._record_end(execution, ExecutionState.FAILED, {"error": f"{type(error).__name__}: {error}"})
            raise

    def _record_end(self, execution: Execution, state: ExecutionState, properties: Properties) -> None:
        """Records why an execution is not complete.

        A full disk does not take the record, and nothing is lost by that: an execution that is on record as running is
        continued like one that has failed.
        """
        with contextlib.suppress(sqlite3.Error):
            self._store.update_execution(execution.id, state, properties)

    def _publish(
        self,
        stage: Stage,
        execution: Execution,
        inputs: dict[str, Artifact],
        result: StageResult,
        seconds: float,
    ) -> dict[str, Artifact]:
        """Moves the outputs to their final names and records them."""
        staged = {key: self._work_folder(execution) / "outputs" / key for key in stage.outputs}
        for key, folder in staged.items():
            if not folder.is_dir():
                raise StageError(f"{stage.name} must write its output {key!r}. Received: nothing in {folder}.")
        for key, folder in staged.items():
            final = self._final(stage, key, execution)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(folder, final)
        # Under their final names, by which the hashes are remembered.
        digests = {key: self._hashes.of_folder(self._final(stage, key, execution)) for key in stage.outputs}
        with self._store.transaction():
            outputs = {
                key: self._store.add_artifact(
                    kind,
                    str(self._final(stage, key, execution)),
                    self._described(stage, key, execution, result, digests[key]),
                )
                for key, kind in stage.outputs.items()
            }
            for key, artifact in outputs.items():
                self._store.add_event(artifact.id, execution.id, EventType.OUTPUT, key)
            ended: Properties = {"gate": result.gate, "seconds": seconds}
            self._store.update_execution(execution.id, ExecutionState.COMPLETE, ended)
            self._associate(execution)
            complete = dataclasses.replace(
                execution,
                state=ExecutionState.COMPLETE,
                properties={**execution.properties, **ended},
                updated_ms=time.time_ns() // 1_000_000,
            )
            # Before the transaction ends: if this fails, the execution is not complete.
            execution_records.write(self._root, ExecutionRecord(complete, inputs, outputs, digests))
        self._hashes.save()
        shutil.rmtree(self._work_folder(execution), ignore_errors=True)
        return outputs

    def _described(
        self, stage: Stage, key: str, execution: Execution, result: StageResult, digests: dict[str, str]
    ) -> Properties:
        """What the records keep of an output."""
        content = fingerprints.of_files(digests)
        return {
            "fingerprint": result.fingerprints.get(key) or content,
            "content": content,
            "sizes": fingerprints.sizes(self._final(stage, key, execution)),
            "producer": stage.name,
            **result.properties.get(key, {}),
        }

    def _take_back(self, stage: Stage, execution: Execution) -> None:
        """Moves outputs that have their final names but were never recorded back to where the execution writes."""
        for key in stage.outputs:
            final, staged = self._final(stage, key, execution), self._work_folder(execution) / "outputs" / key
            if final.exists():
                shutil.rmtree(staged, ignore_errors=True)
                staged.parent.mkdir(parents=True, exist_ok=True)
                os.rename(final, staged)

    def _record_cached(
        self, stage: Stage, original: Execution, inputs: dict[str, Artifact], outputs: dict[str, Artifact]
    ) -> None:
        with self._store.transaction():
            properties = {"fingerprint": original.properties["fingerprint"], "cached_execution": original.id}
            cached = self._store.add_execution(stage.name, ExecutionState.CACHED, properties)
            for key, artifact in inputs.items():
                self._store.add_event(artifact.id, cached.id, EventType.INPUT, key)
                self._attribute(artifact)
            for key, artifact in outputs.items():
                self._store.add_event(artifact.id, cached.id, EventType.OUTPUT, key)
            self._associate(cached)

    def _finish(
        self, stage: Stage, execution: Execution, outputs: dict[str, Artifact], *, was_run: bool, seconds: float
    ) -> Report:
        for key, artifact in outputs.items():
            self._outputs[stage.name, key] = artifact
            self._attribute(artifact)
        gate = execution.properties.get("gate", "")
        if gate:
            raise GateError(stage.name, str(gate))
        return Report(stage.name, outputs, was_run, seconds)

    def _associate(self, execution: Execution) -> None:
        for context in self._contexts:
            self._store.associate(context, execution.id)

    def _attribute(self, artifact: Artifact) -> None:
        for context in self._contexts:
            self._store.attribute(context, artifact.id)

    def _work_folder(self, execution: Execution) -> Path:
        return self._root / WORK / str(execution.id)

    def _final(self, stage: Stage, key: str, execution: Execution) -> Path:
        return self._root / stage.name / key / str(execution.id)
