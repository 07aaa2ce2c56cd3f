import json
import shutil

import numpy as np
import pytest
from PIL import Image

from biggan_tf.evaluation import evaluator as evaluator_lib
from biggan_tf.evaluation import reference_statistics, results
from biggan_tf.evaluation.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from biggan_tf.training.main_metric import main_metric
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, coloured_images, data_folder, extractor, generator

__all__ = ["data_folder", "extractor", "generator"]


@pytest.mark.slow
def test_images_are_evaluated_and_another_protocol_is_refused(commands, data_folder, tmp_path):
    images, labels = coloured_images(30, seed=5)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "images" / CLASS_NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    flags = [f"--images={tmp_path / 'images'}", f"--data={data_folder}", "--features=classifier"]
    flags += ["--metrics=fd,accuracy,intra_fd", "--classifier_steps=60", f"--output={tmp_path / 'out'}"]
    first = commands.run("biggan_tf.evaluate", *flags)
    assert first.status == 0, first.stderr[-2000:]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["metrics"]["accuracy"] > 0.9
    assert result["protocol"]["reference"]["data_fingerprint"] == "abc"
    assert "fd_classifier_covariance_part" in first.stdout
    (tmp_path / "old.json").write_text(json.dumps(result).replace("test-1", "test-2"))
    second = commands.run("biggan_tf.evaluate", *flags, f"--compare={tmp_path / 'old.json'}")
    assert second.status == 2
    assert "reference.preprocessing: 'test-1' and 'test-2'" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.slow
def test_replicas_share_the_work_and_change_no_number(commands, data_folder, tmp_path):
    images, labels = coloured_images(31, seed=6)
    np.savez(tmp_path / "images.npz", arr_0=images, arr_1=labels)
    found = []
    for replicas in (1, 2):
        output = tmp_path / f"out{replicas}"
        output.mkdir()
        if found:
            shutil.copy(tmp_path / "out1" / "classifier.npz", output)
        flags = [f"--images={tmp_path / 'images.npz'}", f"--data={data_folder}", "--features=classifier"]
        flags += ["--metrics=fd,kid", "--classifier_steps=20", f"--output={output}", f"--replicas={replicas}"]
        done = commands.run("biggan_tf.evaluate", *flags)
        assert done.status == 0, done.stderr[-2000:]
        found.append(json.loads((output / "result.json").read_text()))
    assert found[0]["protocol"] == found[1]["protocol"]
    for name, value in found[0]["metrics"].items():
        assert found[1]["metrics"][name] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_an_evaluation_of_a_generator_holds_its_protocol(data_folder, extractor, generator, tmp_path):
    reference = reference_statistics.build(data_folder, extractor)
    evaluator = evaluator_lib.Evaluator(extractor, reference, ("fd", "kid", "prdc", "ppl"), num_images=24)
    sampler = GeneratorSampler(generator, truncation=0.5, batch_size=8)
    result = evaluator.evaluate(sampler, images_seen=7)
    assert result.protocol.samples.truncation == "resampling 0.5"
    assert {"fd_tiny", "kid", "coverage", "ppl_tiny"} <= set(result.metrics)
    assert main_metric(result.metrics) == ("fd_tiny", True)
    results.save(result, tmp_path / "result.json")
    assert results.load(tmp_path / "result.json") == result
    assert results.compare(result, result)["kid"] == 0.0
    other = evaluator.evaluate(GeneratorSampler(generator, truncation=1.0, batch_size=8))
    with pytest.raises(ProtocolMismatchError, match=r"samples.truncation: 'resampling 1' and 'resampling 0.5'"):
        results.compare(other, result)
    results.write_tensorboard(result, tmp_path)
    assert list(tmp_path.glob("events*"))
    assert "fd_tiny" in results.table(result)
    assert np.isfinite(list(result.metrics.values())).all()
