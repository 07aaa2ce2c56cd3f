"""The lineage of artifacts: which executions wrote them, from which other artifacts. As a graph and as text."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.staged.metadata import Artifact, EventType, Execution, ExecutionState, MetadataStore
from pipeline.staged.runner import RUN
from pipeline.staged.stage import StageError


@dataclasses.dataclass(frozen=True)
class Lineage:
    """Artifacts, the executions that wrote them, and the edges between both.

    Attributes:
        artifacts: The artifacts by their ids.
        executions: The executions by their ids.
        reads: (artifact's id, execution's id, key of the input) for each artifact that an execution read.
        writes: (execution's id, artifact's id, key of the output) for each artifact that an execution wrote.
        targets: Ids of the artifacts whose lineage this is.
    """

    artifacts: dict[int, Artifact]
    executions: dict[int, Execution]
    reads: tuple[tuple[int, int, str], ...]
    writes: tuple[tuple[int, int, str], ...]
    targets: tuple[int, ...]


def trace(store: MetadataStore, artifact_ids: Sequence[int] = ()) -> Lineage:
    """Everything that artifacts were made from, back to the inputs that no stage wrote.

    Args:
        store: The records.
        artifact_ids: Ids of the artifacts; none: all that the newest run wrote or did not have to write again.

    Raises:
        StageError: If an artifact is not on record, or nothing is.
    """
    artifacts = {artifact.id: artifact for artifact in store.artifacts()}
    unknown = sorted(set(artifact_ids) - set(artifacts))
    if unknown:
        recorded = ", ".join(f"{a.id} ({a.type})" for a in artifacts.values()) or "none"
        raise StageError(f"--artifact must be the number of a recorded artifact: {recorded}. Received: {unknown[0]}.")
    context, newest = _newest_run(store)
    targets = tuple(artifact_ids) or newest
    if not targets:
        raise StageError("There must be a run to show; none is on record. Run the pipeline first.")
    executions = {e.id: e for e in store.executions() if e.state != ExecutionState.CACHED}
    events = [event for event in store.events() if event.execution_id in executions]
    written_by = {event.artifact_id: event.execution_id for event in events if event.type == EventType.OUTPUT}
    wanted, open_ends = set(targets), list(targets)
    used: set[int] = set()
    if not artifact_ids:  # the lineage of a run also shows executions that failed or are still running
        used.update(
            e for e in store.associated(context) & set(executions) if executions[e].state != ExecutionState.COMPLETE
        )
    while open_ends:
        execution_id = written_by.get(open_ends.pop())
        if execution_id is None or execution_id in used:
            continue
        used.add(execution_id)
        for event in events:
            if event.execution_id == execution_id and event.artifact_id not in wanted:
                wanted.add(event.artifact_id)
                if event.type == EventType.INPUT:
                    open_ends.append(event.artifact_id)
    shown = [event for event in events if event.execution_id in used and event.artifact_id in wanted]
    return Lineage(
        {number: artifacts[number] for number in sorted(wanted)},
        {number: executions[number] for number in sorted(used)},
        tuple((e.artifact_id, e.execution_id, e.key) for e in shown if e.type == EventType.INPUT),
        tuple((e.execution_id, e.artifact_id, e.key) for e in shown if e.type == EventType.OUTPUT),
        targets,
    )


def to_text(lineage: Lineage, root: str = "") -> str:
    """The lineage for a terminal: executions in their order, with what each read and wrote.

    Args:
        lineage: The lineage.
        root: Folder of the pipeline, which is left out of the paths; "": paths are shown in full.
    """
    lines: list[str] = []
    for artifact in _raw(lineage):
        lines += [f"{_name(artifact)}  {artifact.uri}", f"    {_described(artifact)}", ""]
    for execution in lineage.executions.values():
        lines.append(f"{execution.type}, execution {execution.id}: {_when(execution)}")
        for source, reader, key in lineage.reads:
            if reader == execution.id:
                lines.append(f"    read   {key}: {_name(lineage.artifacts[source])}")
        for writer, written, key in lineage.writes:
            if writer == execution.id:
                artifact = lineage.artifacts[written]
                lines.append(f"    wrote  {key}: {_name(artifact)}  {_below(artifact.uri, root)}")
                lines += [f"           {text}" for text in _notes(artifact)]
        if execution.properties.get("gate"):
            lines.append(f"    closed the gate: {execution.properties['gate']}")
        if execution.state != ExecutionState.COMPLETE:
            lines.append(f"    {execution.state.name.lower()}: {execution.properties.get('error', 'not finished')}")
        lines.append("")
    return "\n".join(lines)


def duration_s(execution: Execution) -> float:
    """Seconds that the last attempt of an execution took, or has taken so far."""
    if "seconds" in execution.properties:
        return float(execution.properties["seconds"])
    return max(0.0, (execution.updated_ms - execution.created_ms) / 1000)


def _newest_run(store: MetadataStore) -> tuple[int, tuple[int, ...]]:
    """Id of the newest run's context, and the ids of the artifacts that it read or wrote."""
    for context_id, _ in reversed(store.contexts(RUN)):
        artifacts = tuple(artifact.id for artifact in store.artifacts(context_id=context_id))
        if artifacts:
            return context_id, artifacts
    return 0, ()


def _raw(lineage: Lineage) -> Iterable[Artifact]:
    written = {number for _, number, _ in lineage.writes}
    return [artifact for number, artifact in lineage.artifacts.items() if number not in written]


def _name(artifact: Artifact) -> str:
    return f"{artifact.type} {artifact.id}"


def _when(execution: Execution) -> str:
    begin = datetime.datetime.fromtimestamp(execution.created_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    attempts = int(execution.properties.get("attempts", 1))
    again = f", {attempts} attempts" if attempts > 1 else ""
    return f"{begin}, {duration_s(execution):.1f} s{again}, code {str(execution.properties.get('code', ''))[:12]}"


def _described(artifact: Artifact) -> str:
    return f"fingerprint {artifact.fingerprint[:16]}"


def _notes(artifact: Artifact) -> list[str]:
    hidden = ("fingerprint", "content", "sizes", "producer")
    notes = [f"{name}: {value}" for name, value in artifact.properties.items() if name not in hidden]
    return [f"{_described(artifact)}", *notes]


def _below(uri: str, root: str) -> str:
    try:
        return str(Path(uri).relative_to(root)) if root else uri
    except ValueError:
        return uri
