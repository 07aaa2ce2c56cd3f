"""What a version's own notes say about it, where it has any."""

from __future__ import annotations

import json
import logging
import os

from serving import signatures as s

_log = logging.getLogger(__name__)


def report_rows(name: str, version: int, path: str) -> None:
    """Logs a version of `serving.export` whose pictures may depend on the batch that they are drawn in.

    Exports of version 0.1 do not say how they compute rows: their bits are the same in any batch on the kind of
    processor that exported them, and perhaps on no other.
    """
    file = os.path.join(path, "assets", s.PROVENANCE_ASSET)
    try:
        with open(file, encoding="utf-8") as opened:
            known = json.load(opened)
    except (OSError, ValueError):
        return  # not made by serving.export, or without assets: nothing is promised
    rows = known.get(s.ROWS) if isinstance(known, dict) else None
    if rows is None:
        _log.warning(
            "%s version %d was exported by version 0.1: a picture has the same bits in any batch only on the kind of "
            "processor that it was exported on. Export the run again for every processor.",
            name,
            version,
        )
    elif rows != s.EXACT:
        _log.info(
            "%s version %d was exported with --rows=%s: a row's last bits depend on its batch", name, version, rows
        )
