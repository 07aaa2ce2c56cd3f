"""Lists the images that a CSV or JSONL file names, with their labels."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names
from pipeline.sources.item import FILE, MISSING_FILE, NOTHING_LEFT_OUT, REFUSED, SPECIAL_FILE, Item

_SPLIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")  # it becomes a part of the names of files


class Table:
    """The images of a table whose rows have `path` and `label`, and may have `split` ("train" where it is absent).

    Args:
        path: Path of the .csv (with a header line), .jsonl or .ndjson file, `--input`. Paths in the table are relative
            to its folder.
    """

    expected_layout = """  a .csv with the header path,label or path,label,split
  or a .jsonl with {"path": ..., "label": ..., "split": ...} on each line; split is "train" if absent"""
    left_out = NOTHING_LEFT_OUT

    def __init__(self, path: str):
        if not path or not beam_files.exists(path) or (not beam_files.is_remote(path) and os.path.isdir(path)):
            raise PipelineError(f"--input={path} must be a table. Expected:\n{self.expected_layout}")
        self.path = path

    def items(self) -> Iterator[Item]:
        base = beam_files.folder_of(self.path)
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
            split = str(row.get("split") or "train")
            self._check(number, example_id, str(label), split)
            yield _item(base, example_id, names.to_text(str(label)), split)

    def _check(self, number: int, path: str, label: str, split: str) -> None:
        if not _SPLIT.fullmatch(split):
            raise PipelineError(
                f"{self.path}, line {number}: the split must be a name of letters, digits, _, ., + and -. Received: "
                f"{split[:80]!r}."
            )
        try:
            f"{path}{label}".encode()
        except UnicodeEncodeError as error:
            raise PipelineError(f"{self.path}, line {number}: path and label must be Unicode text: {error}.") from error

    def declared_classes(self) -> frozenset[str]:
        return frozenset()

    def _rows(self) -> Iterable[tuple[int, dict[str, Any]]]:
        text = beam_files.read_text(self.path)
        if not self.path.endswith(".csv"):
            lines = text.split("\n")  # not splitlines: a string of JSON may hold other characters that end a line
            yield from ((number, self._json(number, line)) for number, line in enumerate(lines, 1) if line.strip())
            return
        rows = csv.DictReader(io.StringIO(text, newline=""))
        try:
            if not {"path", "label"} <= set(rows.fieldnames or ()):
                raise PipelineError(
                    f"{self.path} must begin with a header that has path and label; it begins with {rows.fieldnames}."
                )
            yield from ((rows.line_num, row) for row in rows)
        except csv.Error as error:
            raise PipelineError(f"{self.path}, line {rows.line_num}, is no CSV: {error}.") from error

    def _json(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PipelineError(f"{self.path}, line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise PipelineError(f"{self.path}, line {number} must be a JSON object. Received: {line[:80]}.")
        return row


def _item(base: str, example_id: str, label: str, split: str) -> Item:
    path = example_id
    if not beam_files.is_remote(path) and not os.path.isabs(path):
        path = beam_files.join(base, *example_id.split("/"))
    name = names.to_text(example_id)
    if beam_files.is_remote(path):
        return Item(name, split, label, FILE, path)
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: it holds a zero byte
        return Item(name, split, label, REFUSED, detail=MISSING_FILE)
    if not stat.S_ISREG(status.st_mode):
        return Item(name, split, label, REFUSED, detail=SPECIAL_FILE)
    return Item(name, split, label, FILE, path, 0, status.st_size)
