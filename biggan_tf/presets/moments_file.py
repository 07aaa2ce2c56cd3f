"""The file of the moments that a generator is served with: a part of a preset, and kept in the folder of a run.

It is a safetensors file. The tensors "PATH/moving_mean" and "PATH/moving_variance" of each batch norm have a row for
each truncation that was measured; the metadata says which ones these are, how they were measured, and of which weights.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import os
from typing import cast

import numpy as np

from biggan_tf import files, latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.inference import batch_norm_moments
from biggan_tf.inference.served_moments import StandingPlan
from biggan_tf.inference.standing_statistics import StandingStatistics
from biggan_tf.interop.safetensors_files import SafetensorsFile, open_safetensors, write_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_FORMAT = "biggan_tf moments"
_MOST_TRUNCATIONS = 1001
_MOST_PASSES = 1 << 30


def write(
    path: str | os.PathLike[str], plan: StandingPlan, statistics: StandingStatistics, generator: Generator
) -> None:
    """Writes what was measured of a generator, in one file that appears complete or not at all.

    Args:
        path: The path of the file.
        plan: How it was measured.
        statistics: What was measured so far: at all truncations of the plan, or some of them.
        generator: The generator that was measured.
    """
    metadata = {
        "format": _FORMAT,
        "plan": json.dumps([list(plan.truncations), plan.method, plan.num_passes, plan.batch_size]),
        "truncations": json.dumps(list(statistics.truncations)),
        "weights": digest(generator),
    }
    write_safetensors(path, dict(zip(_names(generator), statistics.moments, strict=True)), metadata)


def read(path: str | os.PathLike[str], generator: Generator) -> tuple[StandingPlan, StandingStatistics]:
    """Reads what `write` wrote of this generator.

    Raises:
        WeightsFileError: If the file is damaged, or belongs to other weights or to another network.
    """
    with open_safetensors(path) as file:
        return _read(file, generator)


def read_kept(path: str, generator: Generator) -> tuple[StandingPlan, StandingStatistics] | None:
    """What was measured before of this generator, if it was and can be read; the path may be a URL."""
    try:
        return _read(SafetensorsFile(io.BytesIO(files.read_bytes(path))), generator)
    except (OSError, WeightsFileError):  # nobody measured, or what was measured has changed since
        return None


def digest(generator: Generator) -> str:
    """A SHA-256 of all of a generator's weights but the moments of its batch norms."""
    moments = {id(variable) for variable in batch_norm_moments.moment_variables(generator)}
    content = hashlib.sha256()
    for name, variable in sorted(variables_by_path(generator).items()):
        if id(variable) not in moments:
            content.update(name.encode() + np.asarray(variable.value, np.float32).tobytes())
    return content.hexdigest()


def _names(generator: Generator) -> list[str]:
    """The names of the tensors, in the order of `moment_variables`."""
    names = {id(variable): name for name, variable in variables_by_path(generator).items()}
    return [names[id(variable)] for variable in batch_norm_moments.moment_variables(generator)]


def _read(file: SafetensorsFile, generator: Generator) -> tuple[StandingPlan, StandingStatistics]:
    if file.metadata.get("format") != _FORMAT:
        raise WeightsFileError(f"its format must be {_FORMAT!r}. Received: {shown(file.metadata.get('format'))}")
    plan, truncations = _plan(file.metadata)
    if plan.method != latents.served_method(generator.config.prior):
        raise WeightsFileError(f"its method must be that of the prior. Received: {shown(plan.method)}")
    if file.metadata.get("weights") != digest(generator):
        raise WeightsFileError("its moments must be those of this generator's weights. Received: those of others")
    names = _names(generator)
    shapes = [variable.shape for variable in batch_norm_moments.moment_variables(generator)]
    if set(file.tensors) != set(names):
        raise WeightsFileError(f"it must hold the moments of {len(names)} variables. Received: others")
    moments = []
    for name, shape in zip(names, shapes, strict=True):
        tensor = file.tensors[name]
        if tensor.shape != (len(truncations), *shape) or tensor.dtype != np.float32:
            raise WeightsFileError(
                f"its tensor {name} must be float32 of shape {(len(truncations), *shape)}. Received: {tensor.shape}"
            )
        values = file.read(name)
        if not np.isfinite(values).all() or (name.endswith("variance") and values.min(initial=0.0) < 0):
            raise WeightsFileError(f"its tensor {name} must hold finite numbers, and variances none below 0.")
        moments.append(values)
    return plan, StandingStatistics(truncations, tuple(moments), plan.method)


def _plan(metadata: dict[str, str]) -> tuple[StandingPlan, tuple[float, ...]]:
    """How a file says that it was measured, and at which truncations it was."""
    try:
        planned, measured = json.loads(metadata.get("plan", "")), json.loads(metadata.get("truncations", ""))
    except (ValueError, RecursionError) as error:
        raise WeightsFileError(
            "its metadata must have plan and truncations as JSON. Received: something else"
        ) from error
    match planned:
        case [list() as grid, str() as method, int() as passes, int() as size] if (
            _is_rising(grid)
            and _is_rising(measured)
            and set(measured) <= set(grid)
            and (grid[0], grid[-1]) == (0.0, 1.0)
            and 1 <= passes <= _MOST_PASSES
            and 1 <= size <= _MOST_PASSES
        ):
            return StandingPlan(tuple(map(float, grid)), method, passes, size), tuple(map(float, measured))
    raise WeightsFileError(
        "its plan must be truncations that rise from 0 to 1, a method, passes and their size. "
        f"Received: {shown(planned)}"
    )


def _is_rising(values: object) -> bool:
    """Whether a value of JSON is a list of numbers, each larger than the one before."""
    if not isinstance(values, list) or not 1 <= len(values) <= _MOST_TRUNCATIONS:
        return False
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        return False
    numbers = cast("list[float]", values)
    return all(a < b for a, b in itertools.pairwise(numbers))
