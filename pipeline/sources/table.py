"""A CSV or JSONL file of paths and labels."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sources import files
from pipeline.sources.item import FILE, REFUSED, Item


class Table:
    """Rows with `path` and `label`, and `split` if there is more than "train"; paths are relative to the table.

    Args:
        path: The .csv (with a header line), .jsonl or .ndjson file.
    """

    expected_layout = """  a .csv with the header path,label or path,label,split
  or a .jsonl with {"path": ..., "label": ..., "split": ...} on each line; split is "train" if absent"""

    def __init__(self, path: str):
        if not path or not files.exists(path) or (not files.is_remote(path) and os.path.isdir(path)):
            raise PipelineError(f"--input={path} must be a table. Expected:\n{self.expected_layout}")
        self.path = path

    def items(self) -> Iterator[Item]:
        base = self.path.rpartition("/")[0] or "."
        seen: set[str] = set()
        for number, row in self._rows():
            path, label = row.get("path"), row.get("label")
            if path in (None, "") or label in (None, ""):
                raise PipelineError(f"{self.path}, line {number}: path and label must be given. Received: {row}.")
            example_id = str(path)
            if example_id in seen:
                raise PipelineError(
                    f"{self.path}, line {number}: {example_id} is listed twice; its label is not certain."
                )
            seen.add(example_id)
            yield _item(base, example_id, str(label), str(row.get("split") or "train"))

    def declared_classes(self) -> frozenset[str]:
        return frozenset()

    def _rows(self) -> Iterable[tuple[int, dict[str, Any]]]:
        lines = files.read_text(self.path).splitlines()
        if not self.path.endswith(".csv"):
            yield from ((number, self._json(number, line)) for number, line in enumerate(lines, 1) if line.strip())
            return
        rows = csv.DictReader(lines)
        if not {"path", "label"} <= set(rows.fieldnames or ()):
            raise PipelineError(
                f"{self.path} must begin with a header that has path and label; it begins with {rows.fieldnames}."
            )
        yield from enumerate(rows, 2)

    def _json(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise PipelineError(f"{self.path}, line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise PipelineError(f"{self.path}, line {number} must be a JSON object. Received: {line[:80]}.")
        return row


def _item(base: str, example_id: str, label: str, split: str) -> Item:
    path = example_id
    if not files.is_remote(path) and not os.path.isabs(path):
        path = files.join(base, *example_id.split("/"))
    if not files.is_remote(path) and not os.path.isfile(path):
        return Item(example_id, split, label, REFUSED, detail="missing_file")
    size = 0 if files.is_remote(path) else os.path.getsize(path)
    return Item(example_id, split, label, FILE, path, 0, size)
