import pytest
from google.protobuf import text_format

from serving.protos.server_config import BatchingParameters
from serving.server.batching import Batching
from serving.server.status import ServingError


def parsed(text):
    return Batching.from_proto(text_format.Parse(text, BatchingParameters()))


@pytest.mark.parametrize("size", [-1, 9])
def test_a_batch_is_no_larger_than_the_largest_request(size):
    text = f"max_batch_size {{ value: 8 }} max_execution_batch_size {{ value: {size} }}"
    with pytest.raises(ServingError, match=f"must be from 0 to max_batch_size, which is 8; was {size}"):
        parsed(f"enable_large_batch_splitting {{ value: true }} {text}")


@pytest.mark.parametrize(("size", "rows"), [(0, 8), (1, 1), (8, 8)])
def test_a_request_that_is_split_runs_in_batches_of_the_size_that_is_set(size, rows):
    text = f"max_batch_size {{ value: 8 }} max_execution_batch_size {{ value: {size} }}"
    assert parsed(f"enable_large_batch_splitting {{ value: true }} {text}").execution_size == rows


@pytest.mark.parametrize("size", [-1, 9, 16])
def test_where_requests_are_not_split_the_size_of_their_parts_is_not_read(size):
    text = f"max_batch_size {{ value: 8 }} max_execution_batch_size {{ value: {size} }}"
    assert parsed(text).execution_size == 8
    assert parsed(f"enable_large_batch_splitting {{ value: false }} {text}").capacity() == parsed(text).capacity()
