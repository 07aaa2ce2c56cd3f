"""Runs stages in their order: what is up to date is not run again, what was killed goes on, a closed gate stops.

    ROOT/metadata.sqlite                                what was run
    ROOT/STAGE/KEY/EXECUTION/                           artifacts, as TFX lays them out
    ROOT/.system/executor_execution/EXECUTION/          where an execution works until all it writes is complete

An execution's outputs move to their names, each by one rename, before the one transaction that says they are there.
A kill between the two is found by the next run, which takes the folders back and goes on.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import shutil
import socket
import time
import uuid
from collections.abc import Sequence
from importlib import metadata as distributions
from pathlib import Path
from typing import IO, Any

from pipeline.orchestration import fingerprints
from pipeline.orchestration.metadata import Artifact, EventType, Execution, MetadataStore, Properties, State
from pipeline.orchestration.stage import External, GateError, Outcome, Stage, StageError, StageInterrupted, Work

STORE = "metadata.sqlite"
PIPELINE, RUN = "pipeline", "pipeline_run"  # types of contexts, as TFX names them
_LOGGER = logging.getLogger(__name__)
_LIBRARIES = ("tensorflow", "keras", "apache-beam", "numpy")


@dataclasses.dataclass(frozen=True)
class Report:
    """One stage of a finished run: its artifacts, whether it ran, and for how long."""

    stage: str
    outputs: dict[str, Artifact]
    was_run: bool
    seconds: float


class Runner:
    """One run of a pipeline; a context manager that keeps other runs out of the same root.

    Args:
        root: Folder of the pipeline.
        config: Of the pipeline; its `name` names the context.
        beam_arguments: Beam's options.

    Example:
        >>> with Runner("/data/pipeline", config) as runner:
        ...     reports = runner.run(STAGES, until="Evaluator")
    """

    def __init__(self, root: str | os.PathLike, config: Any, beam_arguments: Sequence[str] = ()):
        self._root = Path(root).absolute()
        self._config, self._beam_arguments = config, tuple(beam_arguments)
        self._outputs: dict[tuple[str, str], Artifact] = {}
        self._lock: IO[str] | None = None

    def __enter__(self) -> Runner:
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = (self._root / ".lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StageError(f"Another run works in {self._root} now. Wait for it, or stop it.") from error
        self._store = MetadataStore(self._root / STORE)
        run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
        self._contexts = [self._store.add_context(PIPELINE, self._config.name), self._store.add_context(RUN, run_id)]
        return self

    def __exit__(self, *unused: object) -> None:
        self._store.close()
        if self._lock:
            self._lock.close()

    def run(self, stages: Sequence[Stage], until: str = "") -> list[Report]:
        """Brings every stage up to date.

        Args:
            stages: In an order in which each follows those that it reads from.
            until: The last stage to run; "": all.

        Raises:
            GateError: A gate did not open.
            StageError: A stage failed.
            StageInterrupted: The run was asked to stop; the same call goes on.
        """
        names = [stage.name for stage in stages]
        if until and until not in names:
            raise StageError(f"--until must be one of {', '.join(names)}. Received: {until!r}.")
        last = names.index(until) if until else len(names) - 1
        reports = []
        for number, stage in enumerate(stages[: last + 1], 1):
            reports.append(self._bring_up_to_date(stage, f"[{number}/{len(names)}] {stage.name}"))
        return reports

    def _bring_up_to_date(self, stage: Stage, title: str) -> Report:
        inputs = self._inputs(stage)
        code = fingerprints.of_code(stage.code) if stage.code else ""
        settings = stage.settings(self._config)
        described = {key: artifact.fingerprint for key, artifact in inputs.items()}
        fingerprint = fingerprints.of_values([stage.name, settings, described, code])
        earlier = self._store.executions(stage.name, fingerprint=fingerprint)
        for execution in reversed(earlier):
            outputs = self._intact_outputs(execution)
            if outputs is not None:
                _LOGGER.info("%s: up to date, made by execution %d", title, execution.id)
                self._record_cached(stage, execution, inputs, outputs)
                return self._finish(stage, execution, outputs, was_run=False, seconds=0.0)
        execution = self._begin(stage, title, earlier, fingerprint, settings, code, inputs)
        start = time.monotonic()
        outcome = self._execute(stage, execution, inputs)
        seconds = time.monotonic() - start
        outputs = self._publish(stage, execution, outcome, seconds)
        _LOGGER.info("%s: done in %.1f s", title, seconds)
        completed = dataclasses.replace(execution, properties={**execution.properties, "gate": outcome.gate})
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

    def _intact_outputs(self, execution: Execution) -> dict[str, Artifact] | None:
        """The artifacts of a complete execution, if they lie there as they were written."""
        if execution.state != State.COMPLETE:
            return None
        outputs = self._store.outputs(execution.id)
        for artifact in outputs.values():
            if fingerprints.sizes(artifact.uri) != artifact.properties["sizes"]:
                _LOGGER.warning("%s has changed or gone since it was made; it is made again", artifact.uri)
                return None
        return outputs

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
        """Records a new execution, or takes up the one that a kill or an error ended."""
        unfinished = [e for e in earlier if e.state in (State.RUNNING, State.FAILED, State.CANCELED)]
        running: Properties = {"host": socket.gethostname(), "pid": os.getpid()}
        if unfinished:
            execution = unfinished[-1]
            _LOGGER.info("%s: goes on with execution %d", title, execution.id)
            attempts = int(execution.properties["attempts"]) + 1
            with self._store.transaction():
                self._store.update_execution(execution.id, State.RUNNING, {**running, "attempts": attempts})
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
            execution = self._store.add_execution(stage.name, State.RUNNING, properties)
            for key, artifact in inputs.items():
                self._store.add_event(artifact.id, execution.id, EventType.INPUT, key)
                self._attribute(artifact)
            self._associate(execution)
        _LOGGER.info("%s: execution %d", title, execution.id)
        return execution

    def _execute(self, stage: Stage, execution: Execution, inputs: dict[str, Artifact]) -> Outcome:
        work = Work(self._config, inputs, self._work_folder(execution), self._beam_arguments, str(self._root))
        work.folder.mkdir(parents=True, exist_ok=True)
        try:
            return stage.run(work)
        except (StageInterrupted, KeyboardInterrupt):
            self._store.update_execution(execution.id, State.CANCELED, {})
            raise
        except Exception as error:
            self._store.update_execution(execution.id, State.FAILED, {"error": f"{type(error).__name__}: {error}"})
            raise

    def _publish(self, stage: Stage, execution: Execution, outcome: Outcome, seconds: float) -> dict[str, Artifact]:
        """Gives the outputs their names and records them."""
        described = {}
        for key in stage.outputs:
            staged = self._work_folder(execution) / "outputs" / key
            if not staged.is_dir():
                raise StageError(f"{stage.name} must write its output {key!r}. Received: nothing in {staged}.")
            fingerprint = outcome.fingerprints.get(key) or fingerprints.of_folder(staged)
            described[key] = {
                "fingerprint": fingerprint,
                "sizes": fingerprints.sizes(staged),
                "producer": stage.name,
                **outcome.properties.get(key, {}),
            }
        for key in stage.outputs:
            final = self._final(stage, key, execution)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self._work_folder(execution) / "outputs" / key, final)
        with self._store.transaction():
            outputs = {}
            for key, kind in stage.outputs.items():
                artifact = self._store.add_artifact(kind, str(self._final(stage, key, execution)), described[key])
                self._store.add_event(artifact.id, execution.id, EventType.OUTPUT, key)
                outputs[key] = artifact
            self._store.update_execution(execution.id, State.COMPLETE, {"gate": outcome.gate, "seconds": seconds})
            self._associate(execution)
        shutil.rmtree(self._work_folder(execution), ignore_errors=True)
        return outputs

    def _take_back(self, stage: Stage, execution: Execution) -> None:
        """What got its name but was never recorded returns to where the execution works."""
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
            cached = self._store.add_execution(stage.name, State.CACHED, properties)
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
        return self._root / ".system" / "executor_execution" / str(execution.id)

    def _final(self, stage: Stage, key: str, execution: Execution) -> Path:
        return self._root / stage.name / key / str(execution.id)
