"""The client for Python programs that wait for their images; `async_client` is the one for asyncio."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from serving import signatures as s
from serving.client.messages import CHANNEL_OPTIONS, PREDICT_METHOD, joined, predict_request
from serving.client.plan import LabelMap, Labels, sample_inputs, split
from serving.client.retries import Retries
from serving.protos.predict import PredictRequest, PredictResponse


class GeneratorClient:
    """Asks a served generator for images.

    Args:
        target: HOST:PORT, or unix:PATH.
        model: The model's name.
        version: A version; None is the latest.
        labels: Path of the export's labels.json, for synsets and names.
        credentials: From `grpc.ssl_channel_credentials`; None is without TLS.
        timeout_s: For a call with all its batches and retries.
        max_batch: The server's largest batch; more rows are split.
        pipeline: Batches on their way at a time.

    Example:
        >>> with GeneratorClient("localhost:8500") as client:
        ...     images = client.sample([207, 207], seeds=[1, 2], truncation=0.5)  # uint8 [2, R, R, 3]
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
            self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, credentials, CHANNEL_OPTIONS)
        self._call = self._channel.unary_unary(
            PREDICT_METHOD, PredictRequest.SerializeToString, PredictResponse.FromString
        )
        self._pool = ThreadPoolExecutor(pipeline, thread_name_prefix="generator-client")

    def __enter__(self) -> GeneratorClient:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._pool.shutdown()
        self._channel.close()

    def sample(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] = 0.5
    ) -> np.ndarray:
        """Returns uint8 images [N, R, R, 3], one for each label (index, synset or name)."""
        return self._sample(labels, seeds, truncation, s.IMAGES)

    def sample_png(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] = 0.5
    ) -> list[bytes]:
        """Returns the same images as PNG files."""
        return list(self._sample(labels, seeds, truncation, s.IMAGE_BYTES))

    def synthesize(self, z: np.ndarray, class_weights: np.ndarray | None, truncation: np.ndarray) -> np.ndarray:
        """Returns float32 images in [-1, 1] for latents and mixtures over the classes (None: it has none)."""
        inputs = {s.LATENT: z, s.TRUNCATION: truncation}
        if class_weights is not None:
            inputs[s.CLASS_WEIGHTS] = class_weights
        return self._run(s.SYNTHESIZE, {k: np.asarray(v, np.float32) for k, v in inputs.items()}, s.IMAGES)

    def latents(self, seeds: Iterable[int], truncation: float | Sequence[float] = 0.5) -> np.ndarray:
        """Returns the points that `sample` draws for seeds."""
        count = len(seeds := list(seeds))
        inputs: dict[str, np.ndarray] = {
            s.SEED: np.asarray(seeds, np.int64),
            s.TRUNCATION: np.broadcast_to(np.asarray(truncation, np.float32), (count,)),
        }
        return self._run(s.LATENTS, inputs, s.LATENT)

    def embed(self, labels: Labels) -> np.ndarray:
        """Returns class embeddings."""
        return self._run(s.EMBED, {s.LABEL: self._labels.resolve(labels)}, s.EMBEDDING)

    def _sample(self, labels: Labels, seeds: Any, truncation: Any, output: str) -> np.ndarray:
        inputs = sample_inputs(self._labels.resolve(labels), seeds, truncation)
        return self._run(s.SAMPLE, inputs, output)

    def _run(self, signature: str, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
        deadline = time.monotonic() + self._timeout_s
        requests = [
            predict_request(self._model, signature, part, (output,), self._version)
            for part in split(inputs, self._max_batch)
        ]
        if len(requests) == 1:
            answers = [self._answer(requests[0], deadline)]
        else:
            answers = list(self._pool.map(lambda request: self._answer(request, deadline), requests))
        return joined(answers, output)

    def _answer(self, request: Any, deadline: float) -> Any:
        retries = Retries(self._target, deadline)
        while True:
            try:
                return self._call(request, timeout=retries.time_left_s())
            except grpc.RpcError as error:
                time.sleep(retries.pause_after(error))
