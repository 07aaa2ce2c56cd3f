"""The client for asyncio: calls run on the event loop, without a thread for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import grpc
import grpc.aio
import numpy as np

from serving import signatures as s
from serving.client.errors import ClientError
from serving.client.messages import CHANNEL_OPTIONS, PREDICT_METHOD, joined, predict_request, token_metadata
from serving.client.model_metadata import METADATA_METHOD, class_labels, default_truncation, metadata_request
from serving.client.plan import (
    LabelMap,
    Labels,
    image_inputs,
    latent_inputs,
    picture_inputs,
    sample_inputs,
    split,
    style_inputs,
    synthesis_inputs,
)
from serving.client.retries import Retries
from serving.client.row_validity import Request, RowValidity
from serving.protos.predict import GetModelMetadataRequest, GetModelMetadataResponse, PredictRequest, PredictResponse

ResponseT = TypeVar("ResponseT", PredictResponse, GetModelMetadataResponse)


class AsyncGeneratorClient:
    """Asks a served generator for images, on the running event loop; the arguments are those of `GeneratorClient`.

    `pipeline` is here the number of requests of all calls that wait for an answer at a time.

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
        token: str | None = None,
    ):
        self._target, self._model, self._version = target, model, version
        self._labels = LabelMap(labels)
        self._validity = RowValidity(target)
        self._metadata = token_metadata(token)
        self._timeout_s, self._max_batch = timeout_s, max_batch
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS)
        self._call = self._channel.unary_unary(
            PREDICT_METHOD, PredictRequest.SerializeToString, PredictResponse.FromString
        )
        self._metadata_call = self._channel.unary_unary(
            METADATA_METHOD, GetModelMetadataRequest.SerializeToString, GetModelMetadataResponse.FromString
        )
        self._default_truncation: float | None = None  # not asked for yet
        self._slots = asyncio.Semaphore(pipeline)

    async def __aenter__(self) -> AsyncGeneratorClient:
        return self

    async def __aexit__(self, *unused: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls that wait for an answer are cancelled."""
        await self._channel.close()

    async def sample(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] | None = None
    ) -> np.ndarray:
        """Images, uint8 [N, R, R, 3]; the arguments and errors are those of `GeneratorClient.sample`."""
        inputs = sample_inputs(await self._indices(labels), seeds, await self._chosen(truncation))
        return await self._run(s.SAMPLE, inputs, s.IMAGES)

    async def sample_png(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] | None = None
    ) -> list[bytes]:
        """The images of `sample`, each as the bytes of a PNG file."""
        inputs = sample_inputs(await self._indices(labels), seeds, await self._chosen(truncation))
        return list(await self._run(s.SAMPLE, inputs, s.IMAGE_BYTES))

    async def synthesize(self, z: np.ndarray, class_weights: np.ndarray | None, truncation: np.ndarray) -> np.ndarray:
        """Images for given latents; the arguments are those of `GeneratorClient.synthesize`."""
        return await self._run(s.SYNTHESIZE, image_inputs(z, class_weights, truncation), s.IMAGES)

    async def latents(self, seeds: Iterable[int], truncation: float | Sequence[float] | None = None) -> np.ndarray:
        """The latents that `sample` draws; the arguments are those of `GeneratorClient.latents`."""
        inputs = latent_inputs(seeds, await self._chosen(truncation))
        return await self._run(s.LATENTS, inputs, s.LATENT)

    async def map(
        self,
        z: np.ndarray,
        class_weights: np.ndarray | None = None,
        truncation: float | Sequence[float] | np.ndarray = 1.0,
        cutoff: int | Sequence[int] | np.ndarray | None = None,
    ) -> np.ndarray:
        """The styles of latents; the arguments are those of `GeneratorClient.map`."""
        return await self._run(s.MAP, style_inputs(z, class_weights, truncation, cutoff), s.STYLES)

    async def synthesize_styles(self, w: np.ndarray, seeds: Iterable[int] | None = None) -> np.ndarray:
        """Images for given styles; the arguments are those of `GeneratorClient.synthesize_styles`."""
        return await self._run(s.SYNTHESIZE_STYLES, synthesis_inputs(w, seeds), s.IMAGES)

    async def synthesize_styles_png(self, w: np.ndarray, seeds: Iterable[int] | None = None) -> list[bytes]:
        """The images of `synthesize_styles`, each as the bytes of a PNG file."""
        return list(await self._run(s.SYNTHESIZE_STYLES_PNG, synthesis_inputs(w, seeds), s.IMAGE_BYTES))

    async def embed(self, labels: Labels) -> np.ndarray:
        """The embeddings of classes, float32 [N, embedding_dim]."""
        return await self._run(s.EMBED, {s.LABEL: await self._indices(labels)}, s.EMBEDDING)

    async def _indices(self, labels: Labels) -> np.ndarray:
        """The index of each class. The server is asked for the names once, when the first text is used."""
        if self._labels.needs_names(labels):
            deadline = time.monotonic() + self._timeout_s
            request = metadata_request(self._model, self._version, s.CLASS_LABELS_FIELD)
            try:
                answer = await self._answer(self._metadata_call, request, deadline)
                self._labels.learn(class_labels(answer), self._target)
            except ClientError as error:
                self._labels.go_without(labels, error)
        return self._labels.resolve(labels)

    async def upscale(self, pictures: Iterable[bytes], seeds: Iterable[int] | None = None) -> list[bytes]:
        """Pictures enlarged by a model of super-resolution, see `GeneratorClient.upscale`."""
        return list(await self._run(s.UPSCALE, picture_inputs(pictures, seeds), s.IMAGE_BYTES, max_batch=1))

    async def _chosen(self, truncation: float | Sequence[float] | None) -> float | Sequence[float]:
        """The truncation, or that of the model's family where there is none."""
        if truncation is not None:
            return truncation
        if self._default_truncation is None:
            deadline = time.monotonic() + self._timeout_s
            request = metadata_request(self._model, self._version)
            self._default_truncation = default_truncation(await self._answer(self._metadata_call, request, deadline))
        return self._default_truncation

    async def _run(
        self, signature: str, inputs: dict[str, np.ndarray], output: str, max_batch: int | None = None
    ) -> np.ndarray:
        """The rows of an output; `max_batch`: the rows of a request, where they must be fewer than the caller chose."""
        deadline = time.monotonic() + self._timeout_s
        outputs = self._validity.outputs(signature, output)
        requests = [
            predict_request(self._model, signature, part, outputs, self._version)
            for part in split(inputs, max_batch or self._max_batch)
        ]
        tasks = [asyncio.ensure_future(self._answer(self._call, request, deadline)) for request in requests]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # after a failure, those of the other parts
                task.cancel()
        self._validity.check(answers, signature, output)
        return joined(answers, output)

    async def _answer(self, call: Callable[..., Awaitable[ResponseT]], request: Request, deadline: float) -> ResponseT:
        retries = Retries(self._target, deadline)
        async with self._slots:
            while True:
                try:
                    return await call(request, timeout=retries.time_left_s(), metadata=self._metadata)
                except grpc.aio.AioRpcError as error:
                    if not self._validity.drop_if_unknown(request, error):
                        await asyncio.sleep(retries.pause_after(error))
