"""InfraValidator: loads the export in a real server and asks it for pictures. The pipeline's third gate."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pipeline.staged.config import InfraValidatorConfig, PipelineConfig
from pipeline.staged.stage import Stage, StageContext, StageResult, link_or_copy
from pipeline.staged.stages import server_process
from pipeline.staged.stages.artifacts import SERVING_FOLDER

BLESSED, NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
MODEL_NAME = "infra-validation-model"
STAMPED = "stamped_model"
_PNG = b"\x89PNG\r\n\x1a\n"


class InfraValidationError(RuntimeError):
    """The server did not load the model, or did not answer with pictures."""


class InfraValidator(Stage):
    """Reads a model; writes a blessing, with the copy of the model that was served, `stamped_model/`."""

    name = "InfraValidator"
    inputs: ClassVar = {"model": ("Trainer", "model"), "blessing": ("Evaluator", "blessing")}
    outputs: ClassVar = {"blessing": "InfraBlessing"}

    def settings(self, config: PipelineConfig) -> Any:
        return {"infra_validator": config.infra_validator}

    def run(self, context: StageContext) -> StageResult:
        config: PipelineConfig = context.config
        output = context.empty_output("blessing")
        model = context.input("model") / SERVING_FOLDER
        stamped = output / STAMPED / "1"
        shutil.copytree(model, stamped, copy_function=link_or_copy)
        reason = ""
        try:
            has_model = 1
            log, enlarges = context.folder / "server.log", config.trainer.model.enlargement > 1
            seconds = check_served(stamped.parent, log, config.infra_validator, enlarges)
        except InfraValidationError as error:
            reason, seconds, has_model = str(error), 0.0, 0
            shutil.rmtree(output / STAMPED)
        (output / (NOT_BLESSED if reason else BLESSED)).touch()
        summary = f"refused: {reason}" if reason else f"served after {seconds:.1f} s"
        return StageResult(
            {"blessing": {"blessed": int(not reason), "has_model": has_model, "summary": summary}}, gate=reason
        )


def check_served(base: Path, log: Path, settings: InfraValidatorConfig, enlarges: bool = False) -> float:
    """Serves a model from another process and asks it for pictures.

    Args:
        base: The model base path, the folder that holds the numbered version.
        log: File for the server's output.
        settings: How long and how often to try, and how many pictures to ask for.
        enlarges: Whether the model is given pictures to enlarge.

    Returns:
        The seconds from the start of the server to its last answer.

    Raises:
        InfraValidationError: If every try failed.
    """
    reason = ""
    for _ in range(settings.num_tries):
        try:
            return _try(base, log, settings, enlarges)
        except InfraValidationError as error:
            reason = str(error)
    raise InfraValidationError(f"{reason} (tries: {settings.num_tries})")


def _try(base: Path, log: Path, settings: InfraValidatorConfig, enlarges: bool) -> float:
    from serving.client import ClientError, GeneratorClient

    start = time.monotonic()
    flags = [f"--model_name={MODEL_NAME}", f"--model_base_path={base}", "--max_num_load_retries=0"]
    with server_process.ServerProcess(flags, log, settings.model_server_binary) as server:
        try:
            server.wait_until_open(settings.max_loading_time_s, settings.poll_s)
            with GeneratorClient(server.target, model=MODEL_NAME, timeout_s=60.0) as client:
                for seed in range(settings.num_samples):
                    if enlarges:
                        (answer,) = client.upscale([_small_picture()], [seed])
                    else:
                        (answer,) = client.sample_png([0], seeds=[seed])
                    if not answer.startswith(_PNG):
                        raise InfraValidationError("The server's answer is no PNG file.")
        except (ClientError, server_process.ServerError) as error:
            raise InfraValidationError(str(error)) from error
    return time.monotonic() - start


def _small_picture() -> bytes:
    """A PNG file of grey levels that rise from corner to corner."""
    file = io.BytesIO()
    levels = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()
