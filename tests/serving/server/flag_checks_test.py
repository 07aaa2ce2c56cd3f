"""Values of flags that cannot be: one error, and exit status 255, before anything starts."""

import socket
import subprocess
import sys

import pytest

from serving.server.flag_checks import check_flags
from serving.server.flags import FlagError, ServerOptions, parse
from serving.server.model_server import ModelServer
from serving.server.status import ServingError
from tests.free_port import free_port

WRONG = {
    **{
        f"{name}={value}": (name, value)
        for name in ("port", "rest_api_port", "playground_port")
        for value in (-1, 65536, 99999)
    },
    **{f"{name}=0": (name, 0) for name in ("grpc_max_threads", "rest_api_num_threads", "rest_api_timeout_in_ms")},
    **{
        f"{name}=-1": (name, -1)
        for name in (
            "max_num_load_retries",
            "load_retry_interval_micros",
            "num_load_threads",
            "num_unload_threads",
            "tensorflow_session_parallelism",
            "tensorflow_intra_op_parallelism",
            "tensorflow_inter_op_parallelism",
            "num_request_iterations_for_warmup",
            "rest_api_max_body_bytes",
            "max_requests_per_second_per_peer",
            "per_process_gpu_memory_fraction",
        )
    },
    "a rate that is no number": ("max_requests_per_second_per_peer", float("nan")),
    "an endless rate": ("max_requests_per_second_per_peer", float("inf")),
    "more threads than a machine has": ("grpc_max_threads", 10**9),
    "more than 32 bits": ("file_system_poll_wait_seconds", 2**31),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_number_out_of_its_range_is_refused_by_name(case):
    name, value = WRONG[case]
    with pytest.raises(ServingError, match=rf"--{name} must be from .* to .*\. Received: "):
        check_flags(ServerOptions(model_base_path="/x", **{name: value}))


def test_the_defaults_and_the_ends_of_the_ranges_are_taken():
    check_flags(ServerOptions(model_base_path="/x"))
    check_flags(ServerOptions(model_base_path="/x", port=65535, rest_api_port=1, grpc_max_threads=1))
    check_flags(ServerOptions(model_base_path="/x", file_system_poll_wait_seconds=-1))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rest_api_port": 8500}, "--rest_api_port must differ from --port. Received: 8500 for both"),
        ({"playground_port": 8500}, "--playground_port must differ from --port"),
        ({"rest_api_port": 7, "playground_port": 7}, "--playground_port must differ from --rest_api_port"),
        ({"host": ""}, "--host must be an address"),
    ],
)
def test_ports_and_hosts_that_cannot_be_are_refused(options, text):
    with pytest.raises(ServingError, match=text):
        check_flags(ServerOptions(model_base_path="/x", **options))


@pytest.mark.parametrize("text", ["8_500", "\u0668", "8500.0", "0x10", "", "1e3"])
def test_only_plain_digits_are_a_number(text):
    with pytest.raises(FlagError, match="for flag port"):
        parse([f"--port={text}"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--auth_token_file=tokens", "auth_tokens_file"),
        ("--auth-tokens-file=tokens", "auth_tokens_file"),
        ("-auth_tokens_file=tokens", "auth_tokens_file"),
        ("--ssl_config_fil=x", "ssl_config_file"),
        ("--max_request_per_second_per_peer=3", "max_requests_per_second_per_peer"),
        ("--model_base_pth=/models", "model_base_path"),
    ],
)
def test_a_word_that_nearly_is_a_flag_is_refused_with_the_flag_that_was_meant(word, meant):
    with pytest.raises(FlagError, match=f"did you mean --{meant}\\?"):
        parse(["--port=8500", word])


def test_a_flag_of_another_server_that_is_near_to_none_is_named_and_left():
    options, unknown = parse(["--strange=1", "--port=7", "--use_new_runtime", "8500"])
    assert (options.port, unknown) == (7, ["--strange=1", "--use_new_runtime", "8500"])


@pytest.mark.parametrize("flag", ["port", "rest_api_port", "playground_port"])
def test_a_port_that_is_taken_is_refused_before_a_model_is_loaded(flag):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = {"port": free_port(), flag: taken.getsockname()[1], "model_base_path": "/nowhere"}
        server = ModelServer(ServerOptions(**options))
        try:
            with pytest.raises(ServingError, match=f"--{flag}=.*Address already in use"):
                server.start()
        finally:
            server.stop(1.0)


@pytest.mark.parametrize(("flag", "host"), [("rest_api", "192.0.2.1"), ("playground", "no.such.host.invalid")])
def test_an_address_of_another_machine_is_refused(flag, host):
    options = {"port": free_port(), f"{flag}_port": free_port(), f"{flag}_host": host, "model_base_path": "/nowhere"}
    server = ModelServer(ServerOptions(**options))
    try:
        with pytest.raises(ServingError, match=f"Cannot listen on --{flag}_port=.* of {host}"):
            server.start()
    finally:
        server.stop(1.0)


@pytest.mark.slow
@pytest.mark.attack
def test_the_command_ends_with_255_and_one_line(attack):
    lines = ["--port=99999", "--port=-1", "--rest_api_port=99999", "--playground_port=99999", "--grpc_max_threads=0",
             "--rest_api_port=8500", "--max_requests_per_second_per_peer=nan"]  # fmt: skip
    for line in lines:
        command = [sys.executable, "-m", "serving.server", "--model_base_path=/nowhere", line]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 255, line
        (said,) = [text for text in result.stdout.splitlines() if text.startswith("Failed to start server.")]
        assert line.partition("=")[0] in said
        assert "Traceback" not in result.stdout + result.stderr
    attack("server", "flags out of their range", len(lines), len(lines), "one error each, exit status 255")
