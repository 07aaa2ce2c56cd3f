"""The conformance suite against a server that something else started, by its address."""

import subprocess
import sys

import grpc
import pytest

from tests.free_port import free_port


@pytest.mark.slow
def test_the_suite_passes_against_an_address(tmp_path):
    base, port, rest = tmp_path / "small", free_port(), free_port()
    subprocess.run([sys.executable, "-m", "tests.serving.conformance.write_model", base], check=True, timeout=300)
    files = {
        "models": f'model_config_list {{ config {{ name: "small" base_path: "{base}" model_platform: "tensorflow" '
        "model_version_policy { all {} } } }",
        "batching": "max_batch_size { value: 8 } max_enqueued_batches { value: 50 }",
        "monitoring": "prometheus_config { enable: true }",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "serving.server", f"--port={port}", f"--rest_api_port={rest}"]
    command += [f"--model_config_file={tmp_path}/models", "--enable_batching", "--enable_grpc_healthcheck_service"]
    command += ["--enable_reload"]
    command += [f"--batching_parameters_file={tmp_path}/batching", f"--monitoring_config_file={tmp_path}/monitoring"]
    with subprocess.Popen(command) as server:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=300)
            suite = [sys.executable, "-m", "pytest", "tests/serving/conformance"]
            suite += [f"--target=127.0.0.1:{port}", f"--rest_target=127.0.0.1:{rest}"]
            result = subprocess.run(suite, capture_output=True, text=True, timeout=600, check=False)
        finally:
            server.terminate()
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout
