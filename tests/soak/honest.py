"""Clients that send right requests, retry as the client library does, and compare every answer."""

import asyncio
import base64
import http.client
import json
import random
import threading
import time

import numpy as np

from serving import signatures as s
from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from tests.soak.exports import as_bytes

# Longer than a restart, so that retries get over it.
TIMEOUT_S = 120.0
# Of a server's answers the client library retries UNAVAILABLE and RESOURCE_EXHAUSTED; over REST these are 503 and 429.
_RETRIED = (503, 429)
_TASKS = 4


class Honest:
    """Threads that send requests until they are told to stop.

    Args:
        target: The gRPC address.
        rest_port: The REST port of this machine.
        asked: The requests to choose from.
        expected: For each export, the bytes of the answers to them.
        versions: Says which export may answer.
        tally: Counts.
    """

    def __init__(self, target, rest_port, asked, expected, versions, tally):
        self._target, self._rest_port = target, rest_port
        self._asked, self._expected = asked, expected
        self._versions, self._tally = versions, tally
        self._stop = threading.Event()
        runs = [(self._grpc, 1), (self._grpc, 2), (self._async, 3), (self._rest, 4)]
        self._threads = [threading.Thread(target=run, args=(random.Random(seed),), daemon=True) for run, seed in runs]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _check(self, kind, index, sent, values):
        answered = time.monotonic()
        got = as_bytes(values)
        allowed = self._versions.between(sent, answered)
        self._tally.answer(kind, any(self._expected[e][index] == got for e in allowed), answered - sent)

    def _grpc(self, rng):
        with GeneratorClient(self._target, timeout_s=TIMEOUT_S) as client:
            while not self._stop.is_set():
                index = rng.randrange(len(self._asked))
                request, sent = self._asked[index], time.monotonic()
                kind = f"gRPC {request.signature} {request.output}"
                try:
                    values = _call(client, request)
                except ClientError as error:
                    self._tally.failure(kind, error)
                else:
                    self._check(kind, index, sent, values)

    def _async(self, rng):
        asyncio.run(self._async_tasks(rng))

    async def _async_tasks(self, rng):
        async with AsyncGeneratorClient(self._target, timeout_s=TIMEOUT_S) as client:
            await asyncio.gather(*(self._async_loop(client, rng) for _ in range(_TASKS)))

    async def _async_loop(self, client, rng):
        samples = [i for i, request in enumerate(self._asked) if request.signature == s.SAMPLE]
        while not self._stop.is_set():
            index = rng.choice(samples)
            request, sent = self._asked[index], time.monotonic()
            call = client.sample if request.output == s.IMAGES else client.sample_png
            inputs = request.inputs
            try:
                values = await call(inputs[s.LABEL].tolist(), inputs[s.SEED].tolist(), inputs[s.TRUNCATION].tolist())
            except ClientError as error:
                self._tally.failure("async sample", error)
            else:
                self._check("async sample", index, sent, _strings(values))

    def _rest(self, rng):
        while not self._stop.is_set():
            index = rng.randrange(len(self._asked))
            request, sent = self._asked[index], time.monotonic()
            kind = f"REST {request.signature}"
            body = {"signature_name": request.signature, "inputs": {k: v.tolist() for k, v in request.inputs.items()}}
            try:
                outputs = json.loads(self._post("/v1/models/biggan:predict", json.dumps(body)))["outputs"]
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                self._tally.failure(kind, error)
            else:
                self._check(kind, index, sent, _rest_values(outputs, request))

    def _post(self, path, body):
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._rest_port, timeout=30)
            try:
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == 200:
                    return content
                problem = RuntimeError(f"{answer.status}: {content[:200]!r}")
                if answer.status not in _RETRIED:
                    raise problem
            except (OSError, http.client.HTTPException) as error:
                problem = error
            finally:
                connection.close()
            if time.monotonic() > deadline:
                raise problem
            time.sleep(random.uniform(0.1, 0.5))


def _call(client, request):
    inputs = request.inputs
    if request.signature == s.SAMPLE:
        call = client.sample if request.output == s.IMAGES else client.sample_png
        return _strings(call(inputs[s.LABEL].tolist(), inputs[s.SEED].tolist(), inputs[s.TRUNCATION].tolist()))
    if request.signature == s.SYNTHESIZE:
        return client.synthesize(inputs[s.LATENT], inputs[s.CLASS_WEIGHTS], inputs[s.TRUNCATION])
    if request.signature == s.LATENTS:
        return client.latents(inputs[s.SEED].tolist(), inputs[s.TRUNCATION].tolist())
    return client.embed(inputs[s.LABEL].tolist())


def _strings(values):
    return np.array(values, object) if isinstance(values, list) else values


def _rest_values(outputs, request):
    values = outputs[request.output] if isinstance(outputs, dict) else outputs
    if request.output == s.IMAGE_BYTES:
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    kind = np.uint8 if request.signature == s.SAMPLE else np.float32
    return np.array(values, kind)
