import json
import logging
from pathlib import Path

import numpy as np
import pytest

from serving import signatures as s
from serving.client import GeneratorClient
from serving.server.provenance import report_rows
from tests.serving.embedded import running

OLD = Path(__file__).parents[2] / "data" / "version_0_1"


def test_an_export_of_version_0_1_is_served_and_named_in_the_log(caplog):
    answers = np.load(OLD / "answers.npz")
    with (
        caplog.at_level(logging.INFO, "serving"),
        running(model_base_path=str(OLD / "export"), model_name="biggan", enable_model_warmup=False) as (_, target),
        GeneratorClient(target) as client,
    ):
        weights = np.eye(10, dtype=np.float32)[answers["label"]]
        images = client.synthesize(answers["z"], weights, answers["truncation"])
        # Another processor than the one that wrote the answers adds up in another order.
        np.testing.assert_allclose(images, answers["float_images"], atol=1e-5)
        pictures = client.sample(answers["label"], answers["seed"], answers["truncation"])
        assert np.abs(pictures.astype(int) - answers["images"]).max() <= 1
    assert "biggan version 1 was exported by version 0.1" in caplog.text


@pytest.mark.parametrize(
    ("notes", "said"), [({s.ROWS: s.EXACT}, ""), ({s.ROWS: s.FAST}, "--rows=fast"), ([], "version 0.1"), (None, "")]
)
def test_a_version_says_how_its_rows_are_computed(tmp_path, caplog, notes, said):
    if notes is not None:
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets" / s.PROVENANCE_ASSET).write_text(json.dumps(notes))
    with caplog.at_level(logging.INFO, "serving"):
        report_rows("biggan", 3, str(tmp_path))
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)
