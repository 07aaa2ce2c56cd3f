"""What an export says about itself in its provenance.json."""

from __future__ import annotations

import logging

from serving import signatures as s
from serving.server.export_assets import ERRORS, read_asset

_log = logging.getLogger(__name__)


def report_rows(name: str, version: int, path: str) -> None:
    """Logs that the pictures of a version depend on the batch that they are computed in, if they may.

    Exports of version 0.1 do not say how they compute rows: their bits are the same in any batch on the kind of
    processor that exported them, and perhaps on no other.

    Args:
        name: The name of the model.
        version: The number of the version.
        path: The folder of the version. Without a provenance.json of `serving.export` nothing is logged.
    """
    try:
        provenance = read_asset(path, s.PROVENANCE_ASSET)
    except ERRORS:
        provenance = None
    if provenance is None:
        return  # it is no export of ours, which promises nothing
    rows = provenance.get(s.ROWS) if isinstance(provenance, dict) else None
    if rows is None:
        _log.warning(
            "%s version %d was exported by version 0.1: a picture has the same bits in any batch only on the kind of "
            "processor that it was exported on. Export the run again for every processor.",
            name,
            version,
        )
    elif rows != s.EXACT:
        _log.info(
            "%s version %d was exported with --rows=%.20s: a row's last bits depend on its batch", name, version, rows
        )
