"""SchemaGen: the schema that the examples must satisfy, given by a file or inferred."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf.data import manifest as manifest_lib
from pipeline import schema as schema_lib
from pipeline.errors import PipelineError
from pipeline.orchestration.stage import External, Outcome, Stage, StageError, Work
from pipeline.pipeline_config import PipelineConfig

SCHEMA_FILE = "schema.pbtxt"


class SchemaGen(Stage):
    """Class names to `schema.pbtxt`."""

    name = "SchemaGen"
    inputs: ClassVar = {"examples": ("ExampleGen", "examples")}
    outputs: ClassVar = {"schema": "Schema"}
    code = ("pipeline/schema.py", "pipeline/stages/schema_gen.py")

    def settings(self, config: PipelineConfig) -> Any:
        return {"is_given": bool(config.validator.schema)}

    def externals(self, config: PipelineConfig) -> dict[str, External]:
        path = config.validator.schema
        if not path:
            return {}
        if not os.path.isfile(path):
            raise StageError(f"validator.schema must name a file. Received: {path!r}; leave it empty to infer one.")
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return {"curated": External("Schema", os.path.abspath(path), digest)}

    def run(self, work: Work) -> Outcome:
        try:
            if "curated" in work.inputs:
                schema = schema_lib.parse(str(work.input("curated")))
            else:
                schema = schema_lib.infer(manifest_lib.load(str(work.input("examples"))).label_names)
        except PipelineError as error:
            raise StageError(str(error)) from error
        (work.empty_output("schema") / SCHEMA_FILE).write_text(schema_lib.to_text(schema), encoding="utf-8")
        origin = "given" if "curated" in work.inputs else "inferred"
        return Outcome({"schema": {"summary": f"{len(schema.feature)} features, {origin}"}})
