"""SchemaGen: writes the schema that the examples must satisfy, from a file or inferred from the class names."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from biggan_tf import files
from biggan_tf.data import manifest as manifest_lib
from pipeline.errors import PipelineError
from pipeline.preprocessing import schema as schema_lib
from pipeline.staged.config import PipelineConfig
from pipeline.staged.stage import NO_NETWORK, External, Stage, StageContext, StageError, StageResult
from pipeline.staged.stages.artifacts import SCHEMA_FILE


class SchemaGen(Stage):
    """Reads the examples' class names, or a schema that the user wrote; writes `schema.pbtxt`."""

    name = "SchemaGen"
    inputs: ClassVar = {"examples": ("ExampleGen", "examples")}
    outputs: ClassVar = {"schema": "Schema"}
    excluded_code: ClassVar = NO_NETWORK

    def settings(self, config: PipelineConfig) -> Any:
        return {"is_given": bool(config.validator.schema)}

    def externals(self, config: PipelineConfig) -> dict[str, External]:
        path = config.validator.schema
        if not path:
            return {}
        if not os.path.isfile(path):
            raise StageError(f"validator.schema must name a file. Received: {path!r}; leave it empty to infer one.")
        digest = files.sha256(path)
        return {"curated": External("Schema", os.path.abspath(path), digest)}

    def run(self, context: StageContext) -> StageResult:
        try:
            if "curated" in context.inputs:
                schema = schema_lib.parse(str(context.input("curated")))
            else:
                schema = schema_lib.infer(manifest_lib.load(str(context.input("examples"))).label_names)
        except PipelineError as error:
            raise StageError(str(error)) from error
        (context.empty_output("schema") / SCHEMA_FILE).write_text(schema_lib.to_text(schema), encoding="utf-8")
        origin = "given" if "curated" in context.inputs else "inferred"
        return StageResult({"schema": {"summary": f"{len(schema.feature)} features, {origin}"}})
