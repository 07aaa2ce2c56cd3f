import asyncio
import inspect

import grpc
import numpy as np
import pytest

from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    base = tmp_path_factory.mktemp("client")
    small_model.write(str(base), 1)
    with running(model_base_path=str(base)) as (_, address):
        yield address


def test_pictures_are_those_of_the_waiting_client_in_order(target):
    async def ask():
        async with AsyncGeneratorClient(target, "small", max_batch=3, pipeline=2) as client:
            return await asyncio.gather(
                client.sample([1] * 10, seeds=range(10)), client.sample_png([2, 3], seeds=[4, 5])
            )

    whole, pngs = asyncio.run(ask())
    with GeneratorClient(target, "small") as client:
        np.testing.assert_array_equal(whole, client.sample([1] * 10, seeds=range(10)))
        assert pngs == client.sample_png([2, 3], seeds=[4, 5])


def test_embeddings_are_those_of_the_waiting_client(target):
    async def ask():
        async with AsyncGeneratorClient(target, "small", max_batch=2) as client:
            return await client.embed([1, "2", 3])

    with GeneratorClient(target, "small") as client:
        np.testing.assert_array_equal(asyncio.run(ask()), client.embed([1, 2, 3]))


def test_names_of_classes_are_asked_of_the_server(target):
    async def ask():
        async with AsyncGeneratorClient(target, "small") as client:
            return await client.sample_png(["goldfish"], seeds=[3])

    with pytest.raises(ClientError, match=r"The model has no labels\.json, so its classes have no names"):
        asyncio.run(ask())


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    names = [name for name, _ in inspect.getmembers(GeneratorClient, inspect.isfunction) if not name.startswith("_")]
    assert {"sample", "synthesize", "embed", "map", "upscale"} <= set(names)
    for name in names:
        ours, waiting = (inspect.signature(getattr(each, name)) for each in (AsyncGeneratorClient, GeneratorClient))
        assert ours == waiting


def test_a_call_without_a_truncation_takes_that_of_the_models_family(target):
    async def ask():
        async with AsyncGeneratorClient(target, "small") as client:
            return await client.sample_png([1]), await client.sample_png([1], truncation=0.5)

    without, given = asyncio.run(ask())
    assert without == given


def test_the_loop_itself_goes_on_while_a_picture_is_made(tmp_path):
    gate, base = tmp_path / "open", tmp_path / "models"
    base.mkdir()
    small_model.write(str(base), 1, warmup=False, model=small_model.GatedModel(1, gate))

    async def ask(address):
        async with AsyncGeneratorClient(address, "small", timeout_s=300) as client:
            task = asyncio.ensure_future(client.sample([1]))
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert not task.done()
            gate.touch()  # Only a loop that the call does not hold up comes here.
            return await task

    with running(model_base_path=str(base)) as (_, address):
        assert asyncio.run(ask(address)).shape == (1, 16, 16, 3)


def test_errors_say_what_to_do(target):
    async def ask(address, model, timeout_s):
        async with AsyncGeneratorClient(address, model, timeout_s=timeout_s, max_batch=1) as client:
            await client.sample([1, 2, 3])

    with pytest.raises(ClientError, match="Check the model's name"):
        asyncio.run(ask(target, "nobody", 60))
    with pytest.raises(ClientError, match="Is a server listening there") as caught:
        asyncio.run(ask(f"127.0.0.1:{free_port()}", "small", 0.5))
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
