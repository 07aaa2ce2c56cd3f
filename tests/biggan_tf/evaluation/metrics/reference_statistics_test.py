import dataclasses

import numpy as np
import pytest

from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.protocol import ImageProtocol, ProtocolMismatchError


@pytest.fixture(scope="module")
def reference(data_folder, extractor):
    return reference_statistics.build(data_folder, extractor, batch_size=10)


def test_statistics_carry_how_they_were_made(reference, extractor):
    assert reference.features == extractor.protocol
    assert reference.images == ImageProtocol("abc", "train", "test-1", 32, 96)
    assert reference.class_names == ("blue", "green", "red")
    assert reference.bank.moments.count == 96


def test_saved_statistics_come_back(reference, tmp_path):
    path = tmp_path / "reference.npz"
    reference_statistics.save(reference, path)
    loaded = reference_statistics.load(path)
    assert loaded.features == reference.features
    assert loaded.images == reference.images
    np.testing.assert_array_equal(loaded.bank.moments.scatter, reference.bank.moments.scatter)
    np.testing.assert_array_equal(loaded.bank.features, reference.bank.features)


def test_another_extractor_or_resolution_is_refused_by_name(reference, extractor):
    reference.require(extractor, 32)
    with pytest.raises(ProtocolMismatchError, match="resolution: 32 of the statistics, 64 of what is compared"):
        reference.require(extractor, 64)
    changed = dataclasses.replace(reference, features=dataclasses.replace(reference.features, weights_sha256="f"))
    with pytest.raises(ProtocolMismatchError, match="weights_sha256: 'f' of the statistics"):
        changed.require(extractor, 32)


def test_a_damaged_file_is_one_clear_error(reference, tmp_path):
    path = tmp_path / "reference.npz"
    reference_statistics.save(reference, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or something else"):
        reference_statistics.load(path)
