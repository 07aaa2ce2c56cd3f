import dataclasses

import pytest

from pipeline.staged import fingerprints, imports
from pipeline.staged import stage as stage_lib
from pipeline.staged.stages.all_stages import STAGES


@dataclasses.dataclass
class Settings:
    sizes: tuple[int, ...] = (1, 2)
    name: str = "a"


def test_values_decide_and_nothing_else():
    assert fingerprints.of_values({"a": Settings(), "b": 1}) == fingerprints.of_values({"b": 1, "a": Settings()})
    assert fingerprints.of_values(Settings()) != fingerprints.of_values(Settings(name="b"))
    with pytest.raises(TypeError, match="Received: object"):
        fingerprints.of_values(object())


def test_folder_changes_with_names_and_content(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("1")
    first, sizes = fingerprints.of_folder(tmp_path), fingerprints.sizes(tmp_path)
    (tmp_path / "x" / "a").write_text("2")
    assert fingerprints.of_folder(tmp_path) != first
    assert fingerprints.sizes(tmp_path) == sizes
    (tmp_path / "x" / "a").rename(tmp_path / "x" / "b")
    assert fingerprints.sizes(tmp_path) != sizes


def test_code_of_a_missing_module_is_an_error():
    assert fingerprints.of_code("pipeline.staged.thresholds") != fingerprints.of_code("pipeline.staged.metadata")
    with pytest.raises(ModuleNotFoundError, match="no_such"):
        fingerprints.of_code("pipeline.no_such")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_code_of_a_stage_holds_what_it_needs_and_nothing_that_it_excludes(stage):
    graph = imports.ImportGraph(fingerprints._ROOT, fingerprints.PACKAGES)
    excluded = (*stage_lib._BOOKKEEPING, *stage.excluded_code)
    code = graph.reachable(type(stage).__module__, excluded)
    assert type(stage).__module__ in code
    assert not set(code) & set(excluded)
    needed = {
        "ExampleGen": {"biggan_tf.data.records", "pipeline.preprocessing.write_shard", "pipeline.sources.shapes"},
        "StatisticsGen": {"biggan_tf.data.verification", "pipeline.preprocessing.statistics"},
        "SchemaGen": {"pipeline.preprocessing.schema"},
        "ExampleValidator": {"pipeline.preprocessing.validation"},
        "Trainer": {"biggan_tf.training.gan", "biggan_tf.layers.batch_norm", "serving.export.served_generator"},
        "Evaluator": {"biggan_tf.evaluation.metrics.frechet", "biggan_tf.families.biggan.generator"},
        "InfraValidator": {"serving.server.__main__", "serving.server.core", "serving.client.generator_client"},
        "Pusher": set(),
    }[stage.name]
    assert needed <= set(code)
    foreign = {
        "ExampleGen": ("biggan_tf.training", "biggan_tf.families", "serving", "pipeline.staged.stages.trainer"),
        "Trainer": ("serving.server", "pipeline.preprocessing.job"),
        "Pusher": ("biggan_tf.training", "serving", "pipeline.preprocessing"),
    }.get(stage.name, ())
    assert [name for name in code if name.startswith(foreign)] == []
