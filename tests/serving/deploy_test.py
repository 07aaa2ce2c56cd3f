"""The deployment files against one another, and against the flags and pages of the server."""

import inspect
import pathlib
import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import yaml
from google.protobuf import text_format
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving import signatures as s
from serving.client import GeneratorClient
from serving.protos.server_config import BatchingParameters, MonitoringConfig
from serving.server.__main__ import DRAIN_S
from serving.server.flags import parse
from serving.server.metrics import Metrics

DEPLOY = pathlib.Path(__file__).parents[2] / "serving" / "deploy"
ROOT = DEPLOY.parents[1]


@pytest.fixture(scope="module")
def manifests():
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def monitoring():
    return text_format.Parse((DEPLOY / "monitoring.config").read_text(), MonitoringConfig()).prometheus_config


def command_line():
    """The arguments that the image starts the server with."""
    entry = re.search(r"ENTRYPOINT (\[.*\])", (DEPLOY / "Dockerfile").read_text().replace("\\\n", ""), re.DOTALL)
    return yaml.safe_load(entry[1])


def test_the_image_starts_the_server_with_flags_that_both_servers_know():
    program, *arguments = command_line()
    assert program == "biggan-serve"
    options, unknown = parse(arguments)
    assert unknown == []
    copied = re.search(r"COPY (serving/deploy.*) (/\S+)/", (DEPLOY / "Dockerfile").read_text())
    inside = {f"{copied[2]}/{pathlib.Path(name).name}" for name in copied[1].split() if (ROOT / name).is_file()}
    assert inside == {options.model_config_file, options.batching_parameters_file, options.monitoring_config_file}


def test_the_deployments_probes_and_ports_are_the_servers(manifests):
    options, _ = parse(command_line()[1:])
    pod = manifests["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": options.port, "rest": options.rest_api_port}
    assert container["readinessProbe"]["httpGet"]["port"] in ports
    assert options.enable_grpc_healthcheck_service
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": options.port}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 600
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((DEPLOY / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert model.name == s.MODEL_NAME
    assert container["readinessProbe"]["httpGet"]["path"] == f"/v1/models/{model.name}/metadata"
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [model.base_path, "/tmp"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["spec"]["volumes"]}


def test_nothing_kills_a_server_that_still_answers_what_has_come(manifests):
    spec = manifests["Deployment"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    program, pause_s = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    unload_s = 10
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= int(pause_s) + DRAIN_S + unload_s
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["serving"]
    assert int(compose["stop_grace_period"].removesuffix("s")) >= DRAIN_S + unload_s


def test_another_server_is_there_while_one_is_away(manifests):
    spec = manifests["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert manifests["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2
    budget = manifests["PodDisruptionBudget"]["spec"]
    assert (budget["selector"], budget["maxUnavailable"]) == (spec["selector"], 1)


def balancer():
    """The lines of the balancer's configuration, as words."""
    return [line.split() for line in (DEPLOY / "haproxy.cfg").read_text().splitlines() if line.strip()]


def test_the_balancer_asks_the_servers_what_the_readiness_probe_asks(manifests):
    options, _ = parse(command_line()[1:])
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    lines = balancer()
    (path,) = [line[-1] for line in lines if line[:2] == ["option", "httpchk"]]
    assert path == container["readinessProbe"]["httpGet"]["path"]
    assert [line[1] for line in lines if line[0] == "bind"] == [f":{options.port}", f":{options.rest_api_port}"]
    backs = [line[2].split(":") for line in lines if line[0] == "server"]
    assert {int(port) for _, port in backs} == {options.port, options.rest_api_port}
    assert (len(backs), len({host for host, _ in backs})) == (6, 3)
    # Otherwise it would cut off answers for which our clients still wait.
    (longest,) = [line[2] for line in lines if line[:2] == ["timeout", "server"]]
    assert int(longest.removesuffix("s")) > inspect.signature(GeneratorClient).parameters["timeout_s"].default


@pytest.mark.parametrize("status", ["SERVING", "NOT_SERVING"])
def test_the_balancers_frames_are_a_health_check(status):
    checks = [line for line in balancer() if line[0] == "tcp-check"]
    frames = b"".join(bytes.fromhex(line[2]) for line in checks if line[1] == "send-binary")
    (expected,) = [bytes.fromhex(line[3]) for line in checks if line[1] == "expect"]
    server, servicer = grpc.server(ThreadPoolExecutor(1)), health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    servicer.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(frames)
        while not re.search(rb"\0{4}\x02\x08.", received):  # a message of two bytes, whose first field is a number
            part = connection.recv(4096)
            assert part, received
            received += part
    server.stop(None).wait()
    assert (expected in received) == (status == "SERVING")


def test_the_balancers_configuration_is_valid():
    program = shutil.which("haproxy")
    if program is None:
        pytest.skip("haproxy is not installed; `apt-get install haproxy` brings it, see .ci/run")
    command = [program, "-c", "-f", str(DEPLOY / "haproxy.cfg")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, "WARNING" in result.stderr) == (0, False), result.stderr


def test_service_and_autoscaler_find_the_deployment(manifests):
    deployment, service, scaler = (manifests[kind] for kind in ("Deployment", "Service", "HorizontalPodAutoscaler"))
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    names = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == names
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])


def test_the_autoscaler_reads_what_the_adapter_makes_of_the_servers_metric(manifests):
    (rule,) = yaml.safe_load((DEPLOY / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    (metric,) = manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    metrics = Metrics()
    metrics.observe("batching_session/queuing_latency", 10.0, "pool")
    for name in re.findall(r'__name__="([^"]+)"', rule["seriesQuery"] + rule["metricsQuery"]):
        assert f"{name}{{" in metrics.render()


def test_prometheus_asks_for_the_page_that_is_served(manifests, monitoring):
    assert monitoring.enable
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    annotations = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert job["metrics_path"] == annotations["prometheus.io/path"] == monitoring.path
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    options, _ = parse(command_line()[1:])
    assert job["static_configs"][0]["targets"] == [f"serving:{options.rest_api_port}"]
    assert {"serving", "prometheus"} <= set(services)
    mounted = services["prometheus"]["volumes"][0].split(":")[0]
    assert (DEPLOY / mounted).is_file()
    assert (DEPLOY / services["serving"]["build"]["context"] / services["serving"]["build"]["dockerfile"]).is_file()


def test_batches_are_of_the_sizes_that_an_export_warms_up():
    batching = text_format.Parse((DEPLOY / "batching.config").read_text(), BatchingParameters())
    assert tuple(batching.allowed_batch_sizes) == s.DEFAULT_BATCH_SIZES
