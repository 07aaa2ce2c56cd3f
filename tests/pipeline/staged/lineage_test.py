import itertools
import re
import xml.etree.ElementTree

import pytest

from pipeline.staged import lineage, lineage_drawing
from pipeline.staged.execution_records import STORE
from pipeline.staged.lineage_layout import place
from pipeline.staged.metadata import MetadataStore
from pipeline.staged.stage import GateError, StageError
from tests.pipeline.staged import fake_stages


@pytest.fixture
def root(tmp_path):
    fake_stages.run(tmp_path)
    fake_stages.run(tmp_path, power=3)
    return tmp_path


def trace(root, *artifacts):
    store = MetadataStore(root / STORE)
    try:
        return lineage.trace(store, artifacts)
    finally:
        store.close()


def test_every_artifact_leads_back_to_the_raw_input(root):
    traced = trace(root, 4)
    assert {a.type for a in traced.artifacts.values()} == {"Raw", "Numbers", "Total", "Blessing"}
    assert [e.type for e in traced.executions.values()] == ["Load", "Square", "Sum"]
    assert (1, 1, "raw") in traced.reads
    assert trace(root, 2).executions.keys() == {1}


def test_newest_run_is_shown_without_what_it_did_not_use(root):
    traced = trace(root)
    assert [e.type for e in traced.executions.values()] == ["Load", "Square", "Sum"]
    assert len(traced.artifacts) == 5
    assert traced.executions.keys() != trace(root, 4).executions.keys()


def test_unknown_artifact_is_named_with_the_known(root):
    with pytest.raises(StageError, match=r"1 \(Raw\).*Received: 77"):
        trace(root, 77)


def test_empty_store_says_what_to_do(tmp_path):
    with pytest.raises(StageError, match="Run the pipeline first"):
        trace(tmp_path)


def test_text_names_inputs_outputs_and_places(root):
    text = lineage.to_text(trace(root), str(root))
    assert "Square, execution 5: " in text
    assert "read   numbers: Numbers 2" in text
    assert re.search(r"wrote  squares: Numbers \d+  Square/squares/5", text)


def test_closed_gate_is_in_text_and_picture(tmp_path):
    with pytest.raises(GateError):
        fake_stages.run(tmp_path, limit=1)
    traced = trace(tmp_path)
    assert "closed the gate: the sum is 14" in lineage.to_text(traced)
    assert 'class="execution bad"' in lineage_drawing.to_svg(traced)


def test_failed_execution_is_shown_with_its_error(tmp_path, monkeypatch):
    monkeypatch.setattr(fake_stages.Square, "run", lambda self, context: (_ for _ in ()).throw(StageError("disk full")))
    with pytest.raises(StageError):
        fake_stages.run(tmp_path)
    traced = trace(tmp_path)
    assert [e.type for e in traced.executions.values()] == ["Load", "Square"]
    assert "failed: StageError: disk full" in lineage.to_text(traced)
    assert 'class="execution bad"' in lineage_drawing.to_svg(traced)


def test_svg_is_xml_with_a_box_for_every_node_and_no_overlap(root):
    svg = xml.etree.ElementTree.fromstring(lineage_drawing.to_svg(trace(root)))
    boxes = [
        tuple(float(box.get(name)) for name in ("x", "y", "width", "height"))
        for box in svg.iter("{http://www.w3.org/2000/svg}rect")
        if box.get("class")
    ]
    assert len(boxes) == 8
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in itertools.combinations(boxes, 2):
        assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0
    left, top, width, height = map(float, svg.get("viewBox").split())
    assert all(x >= left and y >= top and x + w <= width and y + h <= height for x, y, w, h in boxes)


def test_dot_has_every_node_and_edge(root):
    traced = trace(root)
    dot = lineage_drawing.to_dot(traced)
    assert dot.startswith("digraph")
    assert dot.rstrip().endswith("}")
    assert dot.count("->") == len(traced.reads) + len(traced.writes)
    assert all(f"a{number} [" in dot for number in traced.artifacts)


def test_layout_has_longest_paths_and_bends_around():
    layout = place({"a": 10, "b": 10, "c": 10}, [("a", "b"), ("b", "c"), ("a", "c")], gap=5)
    assert layout.layers == {"a": 0, "b": 1, "c": 2}
    middle = layout.paths["a", "c"][1]
    assert middle[1] == 1
    assert abs(middle[0] - layout.positions["b"]) >= 10
    with pytest.raises(ValueError, match="without cycles"):
        place({"a": 1, "b": 1}, [("a", "b"), ("b", "a")], gap=1)
