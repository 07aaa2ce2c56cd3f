"""The graph, as runners in other languages get it."""

import apache_beam as beam
import pytest

from pipeline.preprocessing import job
from pipeline.preprocessing.combining import Grouping
from pipeline.preprocessing.settings import Settings

# Primitives and composites that each of Beam's portable runners must know or may see through.
STANDARD = {
    "beam:transform:impulse:v1", "beam:transform:pardo:v1", "beam:transform:group_by_key:v1",
    "beam:transform:reshuffle:v1", "beam:transform:flatten:v1", "beam:transform:create:v1",
}  # fmt: skip


@pytest.fixture(scope="module")
def proto():
    pipeline = beam.Pipeline()
    job.build(pipeline, [f"/tasks/{index}.jsonl" for index in range(20)], Settings(), "/staging", Grouping(4, 1))
    return pipeline.to_runner_api()


def primitives(proto):
    return [node for node in proto.components.transforms.values() if not node.subtransforms and node.spec.urn]


def test_all_transforms_are_beams_standard_ones(proto):
    assert {node.spec.urn for node in primitives(proto)} <= STANDARD


def test_nothing_is_pickled_from_the_main_module(proto):
    assert b"__main__" not in proto.SerializeToString()


def test_there_is_one_output_and_no_combiner(proto):
    nodes = list(proto.components.transforms.values())
    assert not [node.unique_name for node in nodes if "combine" in node.spec.urn]
    read = {name for node in primitives(proto) for name in node.inputs.values()}
    written = {name for node in primitives(proto) for name in node.outputs.values()}
    assert len(written - read) == 1


def test_reports_are_grouped_by_numbers_and_travel_as_bytes(proto):
    (group,) = [
        node
        for node in primitives(proto)
        if node.spec.urn == "beam:transform:group_by_key:v1" and node.unique_name == "Group"
    ]
    (name,) = group.inputs.values()
    coders = proto.components.coders
    pair = coders[proto.components.pcollections[name].coder_id]
    urns = [coders[part].spec.urn for part in pair.component_coder_ids]
    assert urns == ["beam:coder:varint:v1", "beam:coder:bytes:v1"]
