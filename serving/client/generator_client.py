"""The client for Python programs that wait for their images; `async_client` is the one for asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
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


class GeneratorClient:
    """Asks a served generator for images.

    Args:
        target: Address of the server: HOST:PORT, or unix:PATH of a socket.
        model: The name of the model.
        version: The version that is to answer; None: the latest.
        labels: Path of the export's labels.json, so that classes can be named; None: our server is asked for the names
            when a label is a text, and TensorFlow Serving knows indices alone.
        credentials: What `grpc.ssl_channel_credentials` returned; None: the connection is not encrypted.
        timeout_s: Seconds that a call may take with all its batches and retries. Until then a request is sent again
            while the server is busy or away; `serving.client.retries` has the rules.
        max_batch: Rows in the largest batch that the server takes; a call of more rows is split.
        pipeline: How many batches of calls that are split wait for an answer at a time, in all threads together. A call
            of one batch is sent at once.
        token: The token that the server asks for; None: it asks for none. Without `credentials` anybody on the way can
            read it.

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
        token: str | None = None,
    ):
        self._target, self._model, self._version = target, model, version
        self._labels = LabelMap(labels)
        self._validity = RowValidity(target)
        self._metadata = token_metadata(token)
        self._timeout_s, self._max_batch = timeout_s, max_batch
        if credentials is None:
            self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, credentials, CHANNEL_OPTIONS)
        self._call = self._channel.unary_unary(
            PREDICT_METHOD, PredictRequest.SerializeToString, PredictResponse.FromString
        )
        self._metadata_call = self._channel.unary_unary(
            METADATA_METHOD, GetModelMetadataRequest.SerializeToString, GetModelMetadataResponse.FromString
        )
        self._default_truncation: float | None = None  # not asked for yet
        self._pool = ThreadPoolExecutor(pipeline, thread_name_prefix="generator-client")

    def __enter__(self) -> GeneratorClient:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, after the calls of several batches that are running; others are cancelled."""
        self._pool.shutdown()
        self._channel.close()

    def sample(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] | None = None
    ) -> np.ndarray:
        """Images, uint8 [N, R, R, 3].

        Args:
            labels: The class of each image: its index, synset or name.
            seeds: The seed of each image: the same class, seed and truncation give the same image. None: 0, 1, 2, ...
            truncation: From 0.02 to 1, for each image or for all: the smaller, the better and the more alike. Of a
                model with styles it is psi, from 0 to 2. None: 0.5, or 0.7 as psi; the first such call asks the server
                which of the two the model takes.

        Raises:
            ClientError: The request is wrong, in one of its rows at least, or the server did not answer in time.
        """
        return self._sample(labels, seeds, truncation, s.IMAGES)

    def sample_png(
        self, labels: Labels, seeds: Iterable[int] | None = None, truncation: float | Sequence[float] | None = None
    ) -> list[bytes]:
        """The images of `sample`, each as the bytes of a PNG file."""
        return list(self._sample(labels, seeds, truncation, s.IMAGE_BYTES))

    def synthesize(self, z: np.ndarray, class_weights: np.ndarray | None, truncation: np.ndarray) -> np.ndarray:
        """Images for given latents, float32 [N, R, R, 3], in [-1, 1] or, of a model with styles, about there.

        Args:
            z: Latents, [N, z_dim].
            class_weights: How much each class takes part in each image, [N, num_classes]; None: the model has no
                classes.
            truncation: The truncation that the latents were drawn with, [N]; it chooses the standing statistics. Of a
                model with styles it is psi, which truncates these.
        """
        return self._run(s.SYNTHESIZE, image_inputs(z, class_weights, truncation), s.IMAGES)

    def latents(self, seeds: Iterable[int], truncation: float | Sequence[float] | None = None) -> np.ndarray:
        """The latents that `sample` draws for these seeds and truncations, float32 [N, z_dim]."""
        inputs = latent_inputs(seeds, self._chosen(truncation))
        return self._run(s.LATENTS, inputs, s.LATENT)

    def map(
        self,
        z: np.ndarray,
        class_weights: np.ndarray | None = None,
        truncation: float | Sequence[float] | np.ndarray = 1.0,
        cutoff: int | Sequence[int] | np.ndarray | None = None,
    ) -> np.ndarray:
        """The styles of latents, float32 [N, num_styles, w_dim]: a vector for each layer. Only style models have them.

        Args:
            z: Latents, [N, z_dim].
            class_weights: How much each class takes part, [N, num_classes]; None: the model has no classes.
            truncation: psi, for each row or for all; 1: styles as they are, 0: their mean.
            cutoff: How many of the first layers are truncated, for each row or for all; None: as many as `sample` does.
        """
        inputs = style_inputs(z, class_weights, truncation, cutoff)
        return self._run(s.MAP, inputs, s.STYLES)

    def synthesize_styles(self, w: np.ndarray, seeds: Iterable[int] | None = None) -> np.ndarray:
        """Images for given styles, float32 [N, R, R, 3], about in [-1, 1].

        Args:
            w: A vector for each layer, [N, num_styles, w_dim], as `map` returns them or edited.
            seeds: The seed of the noise of each image, in the way of `sample`; None: 0 for all.
        """
        return self._run(s.SYNTHESIZE_STYLES, synthesis_inputs(w, seeds), s.IMAGES)

    def synthesize_styles_png(self, w: np.ndarray, seeds: Iterable[int] | None = None) -> list[bytes]:
        """The images of `synthesize_styles`, each as the bytes of a PNG file."""
        return list(self._run(s.SYNTHESIZE_STYLES_PNG, synthesis_inputs(w, seeds), s.IMAGE_BYTES))

    def upscale(self, pictures: Iterable[bytes], seeds: Iterable[int] | None = None) -> list[bytes]:
        """Pictures enlarged by a model of super-resolution, each as the bytes of a PNG file.

        Each is sent as a request of its own, since the server bounds the pixels of a request.

        Args:
            pictures: The contents of PNG, JPEG or WebP files.
            seeds: The seed of each picture, which decides detail that it has not; None: 0, 1, 2, ...
        """
        return list(self._run(s.UPSCALE, picture_inputs(pictures, seeds), s.IMAGE_BYTES, max_batch=1))

    def embed(self, labels: Labels) -> np.ndarray:
        """The embeddings of classes, float32 [N, embedding_dim]."""
        return self._run(s.EMBED, {s.LABEL: self._indices(labels)}, s.EMBEDDING)

    def _sample(
        self, labels: Labels, seeds: Iterable[int] | None, truncation: float | Sequence[float] | None, output: str
    ) -> np.ndarray:
        inputs = sample_inputs(self._indices(labels), seeds, self._chosen(truncation))
        return self._run(s.SAMPLE, inputs, output)

    def _indices(self, labels: Labels) -> np.ndarray:
        """The index of each class. The server is asked for the names once, when the first text is used."""
        if self._labels.needs_names(labels):
            deadline = time.monotonic() + self._timeout_s
            request = metadata_request(self._model, self._version, s.CLASS_LABELS_FIELD)
            try:
                answer = self._answer(self._metadata_call, request, deadline)
                self._labels.learn(class_labels(answer), self._target)
            except ClientError as error:
                self._labels.go_without(labels, error)
        return self._labels.resolve(labels)

    def _chosen(self, truncation: float | Sequence[float] | None) -> float | Sequence[float]:
        """The truncation, or that of the model's family where there is none."""
        if truncation is not None:
            return truncation
        if self._default_truncation is None:
            deadline = time.monotonic() + self._timeout_s
            request = metadata_request(self._model, self._version)
            self._default_truncation = default_truncation(self._answer(self._metadata_call, request, deadline))
        return self._default_truncation

    def _run(
        self, signature: str, inputs: dict[str, np.ndarray], output: str, max_batch: int | None = None
    ) -> np.ndarray:
        """The rows of an output; `max_batch`: the rows of a request, where they must be fewer than the caller chose."""
        deadline = time.monotonic() + self._timeout_s
        outputs = self._validity.outputs(signature, output)
        requests = [
            predict_request(self._model, signature, part, outputs, self._version)
            for part in split(inputs, max_batch or self._max_batch)
        ]
        if len(requests) == 1:
            answers = [self._answer(self._call, requests[0], deadline)]
        else:
            answers = list(self._pool.map(lambda request: self._answer(self._call, request, deadline), requests))
        self._validity.check(answers, signature, output)
        return joined(answers, output)

    def _answer(self, call: Callable[..., ResponseT], request: Request, deadline: float) -> ResponseT:
        retries = Retries(self._target, deadline)
        while True:
            try:
                return call(request, timeout=retries.time_left_s(), metadata=self._metadata)
            except grpc.RpcError as error:
                if not self._validity.drop_if_unknown(request, error):
                    time.sleep(retries.pause_after(error))
