"""The command line of the staged pipeline: a recipe, overrides of its fields, and Beam's options behind them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from biggan_tf import config_checks
from biggan_tf.config import ConfigError, field_paths
from pipeline.orchestration.stage import StageError
from pipeline.pipeline_config import PipelineConfig

_OVERRIDE = re.compile(r"--?(?:no)?config\.([A-Za-z0-9_.]+)")


def define_config(default: str | None = None) -> Any:
    """Defines `--config=RECIPE.py` and `--config.section.field=value`."""
    return config_flags.DEFINE_config_file("config", default, "Recipe, e.g. configs/pipeline_demo.py.")


def resolve(holder: Any) -> PipelineConfig:
    """The recipe with its overrides, found sound.

    Raises:
        StageError: With every problem at once.
    """
    config = holder.value
    if not isinstance(config, PipelineConfig):
        raise StageError(
            "--config must name a recipe whose get_config() returns a pipeline.pipeline_config.PipelineConfig, such as "
            f"configs/pipeline_demo.py. Received: {type(config).__name__ if config else 'none'}."
        )
    try:
        config.validate()
    except ConfigError as error:
        raise StageError(str(error)) from error
    return config


def parse(argv: Sequence[str]) -> list[str]:
    """Our flags; all others are left for Beam. A mistake ends the program with status 2."""
    recipe = next((argument.split("=", 1)[1] for argument in argv if re.match(r"--?config=", argument)), None)
    if recipe is not None and not Path(recipe.split(":")[0]).is_file():
        here = sorted(str(path) for path in Path("configs").glob("pipeline*.py"))
        _fail(f"--config must name a recipe file. Received: {recipe}; {config_checks.nearest(recipe, here)}")
    known = list(field_paths(PipelineConfig()))
    for argument in argv:
        match = _OVERRIDE.match(argument)
        if match and match[1] not in known:
            hint = config_checks.nearest(match[1], known)
            _fail(f"--config.FIELD must name a field of the recipe. Received: --config.{match[1]}; {hint}")
    try:
        left: list[str] = flags.FLAGS(list(argv), known_only=True)
        return left
    except flags.Error as error:
        _fail(f"{error}\nSee --help.")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        _fail(f"The recipe {recipe} must load and take its overrides. Received: {type(error).__name__}: {error}")
    return []


def _fail(message: str) -> None:
    sys.stderr.write(f"{message}\n")
    sys.exit(2)
