"""Finds the rows of a request that a model cannot answer, before the request joins a batch and after it was run."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving import signatures as s
from serving.input_limits import InputLimit, from_json, limits_for
from serving.server.export_assets import ERRORS, read_asset, read_text
from serving.server.status import ServingError, invalid_argument

_log = logging.getLogger(__name__)
_SHOWN_ROWS = 3


def read_limits(path: str) -> dict[str, InputLimit]:
    """The limits of the inputs of a version, by alias; {} for a model that is no export of ours.

    They stand in the export. Exports of version 0.1 carry no list; there the number of classes in the provenance says
    what their graphs assert.

    Args:
        path: The folder of the version.
    """
    try:
        limits = read_text(path, s.LIMITS_ASSET)
        return _limits_of_provenance(read_asset(path, s.PROVENANCE_ASSET)) if limits is None else from_json(limits)
    except ERRORS as error:
        _log.warning("%s: the limits of the inputs cannot be read, so rows are checked by the model: %s", path, error)
        return {}


def check_inputs(limits: Mapping[str, InputLimit], arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses a request with a row that the model cannot answer.

    Args:
        limits: What `read_limits` returned.
        arrays: The inputs of the request by alias, [N, ...].

    Raises:
        ServingError: A value is out of bounds; the message names those of this request alone.
    """
    for alias, array in arrays.items():
        limit = limits.get(alias)
        if limit is not None and array.ndim and array.dtype.kind in "iuf":
            fits = limit.fits(array)
            if not fits.all():
                raise invalid_argument(limit.refusal(array, np.flatnonzero(~fits)))


def marks_rows(name: str, definition: meta_graph_pb2.SignatureDef) -> bool:
    """Whether a signature is one of an export, with the output that says which rows are valid."""
    specified = s.SIGNATURES.get(name)
    return specified is not None and s.VALID in definition.outputs and set(definition.outputs) == set(specified.outputs)


def check_marks(valid: np.ndarray) -> None:
    """Refuses a request for which the model has marked a row.

    Raises:
        ServingError: With the numbers of the rows.
    """
    if not valid.all():
        bad = np.flatnonzero(~valid)
        shown = ", ".join(map(str, bad[:_SHOWN_ROWS])) + (", ..." if len(bad) > _SHOWN_ROWS else "")
        raise invalid_argument(
            f"{len(bad)} of {len(valid)} rows cannot be answered: an input is out of bounds, or so large that the "
            f"result is not finite. Received: row {shown}"
        )


def refused_for_its_values(error: ServingError) -> bool:
    """Whether a run failed for what a request holds, and not for want of room, of time or of a fault of the server."""
    return error.code.name in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED")


def _limits_of_provenance(provenance: object) -> dict[str, InputLimit]:
    sizes = provenance.get("sizes") if isinstance(provenance, dict) else None
    classes = sizes.get("num_classes") if isinstance(sizes, dict) else None
    if type(classes) is not int or not 0 <= classes < 2**31:
        return {}
    return limits_for({"num_classes": classes})
