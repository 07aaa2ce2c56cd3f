"""Clients that do what no client should, one short burst a call."""

import json
import random
import socket
import threading
import time

import grpc
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc, predict_pb2

_POST = b"POST /v1/models/biggan:predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Place:
    """Where to attack.

    Args:
        target: The gRPC address.
        rest_port: The REST port of this machine.
        rng: Draws what is sent.
    """

    def __init__(self, target, rest_port, rng):
        self.target, self.rest_port, self.rng = target, rest_port, rng

    def predict(self, requests, timeout=20.0):
        """Sends the bytes of requests, all at once, and waits for the answers."""
        with grpc.insecure_channel(self.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(_PREDICT)
            for answer in [call.future(request, timeout=timeout) for request in requests]:
                answer.code()

    def http(self, *parts, pause_s=0.0, half_close=False):
        """Sends parts of a connection to the REST port, with pauses between them, and reads until the end."""
        try:
            with socket.create_connection(("127.0.0.1", self.rest_port), timeout=5) as connection:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause_s)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        except OSError:
            pass  # a server may close on such a client, and is away during a restart


def _request(label=(1,), seed=(1,), truncation=(0.5,)):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "biggan", "serving_default"
    for alias, values, kind, field in (
        ("label", label, 3, "int_val"),
        ("seed", seed, 9, "int64_val"),
        ("truncation", truncation, 1, "float_val"),
    ):
        tensor = request.inputs[alias]
        tensor.dtype = kind
        tensor.tensor_shape.dim.add(size=len(values))
        getattr(tensor, field).extend(values)
    return request


def bad_rows(place):
    """Labels, truncations and numbers of rows that the model refuses."""
    labels = [(1_000_000,), (-1,), (1, 2, 99), (2**31 - 1,)]
    requests = [_request(label, (1,) * len(label), (0.5,) * len(label)) for label in labels]
    requests += [_request(truncation=(value,)) for value in (float("nan"), float("inf"), -1.0, 0.0, 2.0)]
    place.predict(request.SerializeToString() for request in requests)


def too_many_rows(place):
    """More rows than a batch may have."""
    place.predict([_request((1,) * n, (1,) * n, (0.5,) * n).SerializeToString() for n in (9, 100, 5000)])


def garbage_protos(place):
    """Bytes that are no message."""
    place.predict([place.rng.randbytes(place.rng.randrange(1, 2000)) for _ in range(10)])


def flipped_protos(place):
    """Requests in which some bytes were changed."""
    flipped = []
    for _ in range(20):
        data = bytearray(_request().SerializeToString())
        for _ in range(place.rng.randrange(1, 8)):
            data[place.rng.randrange(len(data))] = place.rng.randrange(256)
        flipped.append(bytes(data))
    place.predict(flipped)


def huge_shapes(place):
    """A few bytes that claim shapes of millions of elements."""
    requests = []
    for shape in ([0, 6_000_000_000], [0, 2**31 - 1], [2**20], [1, 2**20], [0, 2**62, 2**62], [1] * 70, [2**62, 2]):
        request = _request()
        del request.inputs["label"].tensor_shape.dim[:]
        for size in shape:
            request.inputs["label"].tensor_shape.dim.add(size=size)
        requests.append(request.SerializeToString())
    place.predict(requests)


def long_names(place):
    """Names of models, signatures and inputs of a megabyte."""
    word = f"{place.rng.random()}" + "x" * 1_000_000
    requests = [_request(), _request(), _request()]
    requests[0].model_spec.name = word
    requests[1].model_spec.signature_name = word
    requests[2].inputs[word].dtype = 1
    place.predict([request.SerializeToString() for request in requests])


def impatient_calls(place):
    """Calls that are given up at once."""
    place.predict([_request().SerializeToString()] * 20, timeout=0.002)


def a_crowd(place):
    """More calls at a time than may wait."""
    place.predict([_request(seed=(i,)).SerializeToString() for i in range(200)])


def slow_connections(place):
    """Connections that send one byte a second."""
    line = b"POST /v1/models/biggan:predict HTTP/1.1\r\nContent-Length: 100\r\n"
    threads = [
        threading.Thread(target=place.http, args=[line[i : i + 1] for i in range(5)], kwargs={"pause_s": 1.0})
        for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def half_closed_sockets(place):
    """Connections that are closed on one side in the middle of a request, over REST and gRPC."""
    whole = b"POST /v1/models/biggan:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n" + b"{" * 60
    for _ in range(10):
        place.http(whole[: place.rng.randrange(len(whole))], half_close=True)
    host, port = place.target.rsplit(":", 1)
    for start in (
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + place.rng.randbytes(50),
        b"GET / HTTP/1.1\r\n\r\n",
    ):
        try:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(start)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                while connection.recv(4096):
                    pass
        except OSError:
            pass  # a server may close on such a client, and is away during a restart


def bad_json(place):
    """Bodies that are no request."""
    bodies = [b"", b"{", b"[" * 5000, b'{"inputs":' * 900, b'{"instances": [NaN, 1e999]}', place.rng.randbytes(500)]
    bodies += [b'{"signature_name": "\\ud800", "instances": [1]}', json.dumps({"inputs": {"label": [[[1]]]}}).encode()]
    for body in bodies:
        place.http(_POST % len(body) + body)


def smuggled_requests(place):
    """A body where none belongs, two lengths, and a length with an encoding."""
    inner = b"GET /v1/models/biggan HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(inner)
    place.http(b"GET /v1/models/biggan HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n" + inner)
    place.http(
        b"POST /v1/models/biggan:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + length + b"\r\n{}" + inner
    )
    place.http(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + length + b"\r\n0\r\n\r\n" + inner)


def a_large_body(place):
    """Fifty megabytes of zeros as JSON."""
    body = b'{"inputs": [' + b"0," * 25_000_000 + b"0]}"
    place.http(_POST % len(body) + body)


def bad_reloads(place):
    """Configs that must be refused."""
    with grpc.insecure_channel(place.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        for path in ("/tmp/\0", "/nowhere", "relative", "gs://bucket/x", None):
            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.SetInParent()
            if path is not None:
                request.config.model_config_list.config.add(name="biggan", base_path=path, model_platform="tensorflow")
            stub.HandleReloadConfigRequest.future(request, timeout=5).code()


# Each can be left out by its name on the command line: --without=bad_rows,flipped_protos.
KINDS = (
    bad_rows,
    too_many_rows,
    garbage_protos,
    flipped_protos,
    huge_shapes,
    long_names,
    impatient_calls,
    a_crowd,
    slow_connections,
    half_closed_sockets,
    bad_json,
    smuggled_requests,
    a_large_body,
    bad_reloads,
)


class Hostile:
    """Threads that attack until they are told to stop.

    Args:
        target: The gRPC address.
        rest_port: The REST port of this machine.
        without: The names of the kinds that are left out.
        tally: Counts.
    """

    def __init__(self, target, rest_port, without, tally):
        self._kinds = [kind for kind in KINDS if kind.__name__ not in without]
        self._tally = tally
        self._stop = threading.Event()
        places = [Place(target, rest_port, random.Random(seed)) for seed in range(2)]
        self._threads = [threading.Thread(target=self._run, args=(place,), daemon=True) for place in places]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, place):
        while not self._stop.wait(0.3):
            kind = place.rng.choice(self._kinds)
            kind(place)
            self._tally.attempt(kind.__name__)
