"""The deployment files against one another, and against the flags and pages of the server."""

import pathlib
import re

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import signatures as s
from serving.protos.server_config import BatchingParameters, MonitoringConfig
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
    assert program == "/usr/bin/tensorflow_model_server"
    options, unknown = parse(arguments)
    assert unknown == []
    copied = re.search(r"COPY (.*) (/\S+)/", (DEPLOY / "Dockerfile").read_text())
    inside = {f"{copied[2]}/{pathlib.Path(name).name}" for name in copied[1].split() if (ROOT / name).is_file()}
    assert inside == {options.model_config_file, options.batching_parameters_file, options.monitoring_config_file}


def test_the_deployments_probes_and_ports_are_the_servers(manifests):
    options, _ = parse(command_line()[1:])
    pod = manifests["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": options.port, "rest": options.rest_api_port}
    for probe in ("readinessProbe", "livenessProbe"):
        action = container[probe].get("httpGet") or container[probe]["tcpSocket"]
        assert action["port"] in ports
    # A server drains for 30 s after SIGTERM.
    assert pod["spec"]["terminationGracePeriodSeconds"] > 30
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((DEPLOY / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert model.name == s.MODEL_NAME
    assert container["readinessProbe"]["httpGet"]["path"] == f"/v1/models/{model.name}/metadata"
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [model.base_path]
    assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["spec"]["volumes"]}


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
