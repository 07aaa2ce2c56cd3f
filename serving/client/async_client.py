"""The client for asyncio: calls run on the event loop, without a thread for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
import grpc.aio
import numpy as np

from serving import signatures as s
from serving.client.messages import CHANNEL_OPTIONS, PREDICT_METHOD, joined, predict_request
from serving.client.plan import LabelMap, Labels, sample_inputs, split
from serving.client.retries import Retries
from serving.protos.predict import PredictRequest, PredictResponse


class AsyncGeneratorClient:
    """Asks a served generator for images, on the running event loop; arguments are those of `GeneratorClient`.

    Example:
        >>> async with AsyncGeneratorClient("localhost:8500") as client:
        ...     images = await client.sample([207, 207], seeds=[1, 2], truncation=0.5)  # uint8 [2, R, R, 3]
    """

    def __init__(
        self,
        target: str,
        model: str = s.MODEL_NAME,
        version: int | None = None,
        labels: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = 60.0,
        max_batch: int = 8,
        pipeline: int = 4,
    ):
        self._target, self._model, self._version = target, model, version
        self._labels = LabelMap(labels)
        self._timeout_s, self._max_batch = timeout_s, max_batch
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS)
        self._call = self._channel.unary_unary(
            PREDICT_METHOD, PredictRequest.SerializeToString, PredictResponse.FromString
        )
        self._on_their_way = asyncio.Semaphore(pipeline)

    async def __aenter__(self) -> AsyncGeneratorClient:
        return self

    async def __aexit__(self, *unused: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls on their way are cancelled."""
        await self._channel.close()

    async def sample(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] = 0.5
    ) -> np.ndarray:
        """Returns uint8 images [N, R, R, 3], one for each label (index, synset or name)."""
        inputs = sample_inputs(self._labels.resolve(labels), seeds, truncation)
        return await self._run(s.SAMPLE, inputs, s.IMAGES)

    async def sample_png(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] = 0.5
    ) -> list[bytes]:
        """Returns the same images as PNG files."""
        inputs = sample_inputs(self._labels.resolve(labels), seeds, truncation)
        return list(await self._run(s.SAMPLE, inputs, s.IMAGE_BYTES))

    async def _run(self, signature: str, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
        deadline = time.monotonic() + self._timeout_s
        requests = [
            predict_request(self._model, signature, part, (output,), self._version)
            for part in split(inputs, self._max_batch)
        ]
        tasks = [asyncio.ensure_future(self._answer(request, deadline)) for request in requests]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # after a failure, those of the other parts
                task.cancel()
        return joined(answers, output)

    async def _answer(self, request: Any, deadline: float) -> Any:
        retries = Retries(self._target, deadline)
        async with self._on_their_way:
            while True:
                try:
                    return await self._call(request, timeout=retries.time_left_s())
                except grpc.aio.AioRpcError as error:
                    await asyncio.sleep(retries.pause_after(error))
