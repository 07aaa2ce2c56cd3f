"""The Dockerfiles and manifests: versions of the lock, no root, and steps that work where there is no Docker."""

import functools
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

import biggan_tf

ROOT = pathlib.Path(__file__).parents[1]
FILES = ("examples/training.Dockerfile", "serving/deploy/Dockerfile", "pipeline/worker.Dockerfile")
# Those that say what they start; Beam's own image, on which the worker's is built, starts its worker.
STARTING = FILES[:2]
USER = "10001"


def instructions(text):
    """(instruction, arguments) of each line of a Dockerfile, without comments and with lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [tuple(line.split(maxsplit=1)) for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def problems(text, locked):
    """What is wrong with a Dockerfile.

    Args:
        text: The file.
        locked: Versions of packages by name, as in requirements.lock.
    """
    steps = instructions(text)
    users = [argument for name, argument in steps if name == "USER"]
    if not users or users[-1] in ("root", "0"):
        yield "the last USER must not be root"
    elif not users[-1].isdigit():
        yield "USER must be a number, because Kubernetes cannot tell whether a name is root"
    for name, argument in steps:
        if name == "FROM" and not re.search(r":\d+\.\d+", argument):
            yield f"FROM must name a version: {argument}"
        if name == "ADD":
            yield f"COPY, not ADD: {argument}"
        if name == "COPY":
            missing = [source for source in argument.split()[:-1] if not (ROOT / source).exists()]
            yield from (f"COPY must name files of the repository: {source}" for source in missing)
        if name == "RUN" and "pip install" in argument and "--no-cache-dir" not in argument:
            yield f"pip keeps its cache in the image: {argument}"
        for package, version in re.findall(r"([\w-]+)(?:\[[\w,-]+\])?==([\d.]+)", argument):
            if locked.get(package) != version:
                yield f"{package}=={version} must be {locked.get(package)}, as in requirements.lock"


@functools.cache
def locked_versions():
    return dict(
        re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("file", FILES)
def test_a_dockerfile_has_no_problems(file):
    assert list(problems((ROOT / file).read_text(), locked_versions())) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("USER root", "must not be root"),
        ("USER biggan", "must be a number"),
        ("FROM python", "must name a version"),
        ("FROM python:latest", "must name a version"),
        ("COPY gone /gone", "must name files"),
        ("ADD LICENSE /", "COPY, not ADD"),
        ("RUN pip install x", "its cache"),
        ("RUN pip install --no-cache-dir tensorflow[and-cuda]==2.19.1", "must be"),
    ],
)
def test_a_problem_is_named(line, said):
    text = f"FROM python:3.11\nUSER {USER}\n{line}\n"
    (problem,) = problems(text, locked_versions())
    assert said in problem


@pytest.mark.parametrize("file", FILES)
def test_hadolint_finds_nothing(file):
    program = shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not on the PATH; .ci/run installs it")
    result = subprocess.run([program, str(ROOT / file)], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_versions_of_images_are_ours_and_beams():
    worker = (ROOT / FILES[2]).read_text()
    assert f"beam_python3.11_sdk:{locked_versions()['apache-beam']}" in worker
    version = re.escape(biggan_tf.__version__)
    for path in (*FILES, "docs/how_to/deploy.md", "serving/deploy/kubernetes.yaml", "examples/kubernetes/train.yaml"):
        tags = re.findall(r"biggan-(?:tf|serving|tf-worker):([\w.-]+)", (ROOT / path).read_text())
        assert tags, path
        assert all(re.fullmatch(rf"{version}(-cuda)?", tag) for tag in tags), path


@pytest.mark.parametrize("path", ["serving/deploy/kubernetes.yaml", "examples/kubernetes/train.yaml"])
def test_pods_run_without_privileges_and_with_resources(path):
    for document in yaml.safe_load_all((ROOT / path).read_text()):
        if document["kind"] not in ("Deployment", "Job"):
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert str(pod["securityContext"]["runAsUser"]) == USER
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert ":latest" not in container["image"]
        names = {volume["name"] for volume in pod["volumes"]}
        assert names == {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}


def test_what_the_images_start_is_a_command_of_ours():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for file in STARTING:
        started = [
            argument for name, argument in instructions((ROOT / file).read_text()) if name in ("CMD", "ENTRYPOINT")
        ]
        assert yaml.safe_load(started[-1])[0] in scripts


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("file", FILES)
def test_the_python_steps_work_in_a_fresh_environment(file, tmp_path):
    """Copies what the file copies, installs as it installs, and starts what it starts, all but the users.

    The worker's file starts nothing. There Beam and our package must be those that were installed, and a step of
    our graph that was pickled here must be read.
    """
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    work, programs = tmp_path / "work", tmp_path / "venv/bin"
    work.mkdir()
    for name, argument in instructions((ROOT / file).read_text()):
        if name == "COPY" and not argument.split()[-1].startswith("/config"):
            copy(argument.split(), work)
        elif name == "RUN" and argument.startswith("pip install"):
            words = shlex.split(argument.partition("&&")[0])
            subprocess.run([str(programs / "pip"), "--quiet", *words[1:]], cwd=work, check=True)
        elif name in ("CMD", "ENTRYPOINT"):
            program = programs / yaml.safe_load(argument)[0]
            # From another folder, where the package is the one that was installed.
            told = subprocess.run([str(program), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
            assert "--" in told.stdout
    if file not in STARTING:
        check_worker(programs / "python", tmp_path)


def check_worker(python, folder):
    """A fresh environment must read a step of our graph that was pickled here, and set it up."""
    from apache_beam.internal import pickler

    from pipeline.preprocessing.settings import Settings
    from pipeline.preprocessing.write_shard import WriteShard

    (folder / "step").write_bytes(pickler.dumps(WriteShard(Settings(source="shapes"), str(folder / "staging"))))
    code = (
        "import apache_beam, pathlib, sys\n"
        "from apache_beam.internal import pickler\n"
        "from apache_beam.runners.worker import sdk_worker_main, worker_pool_main\n"
        "step = pickler.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "step.setup()\n"
        "print(apache_beam.version.__version__, sys.modules[type(step).__module__].__file__)"
    )
    # From another folder, where the package is the one that was installed.
    command = [str(python), "-c", code, str(folder / "step")]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == locked_versions()["apache-beam"]
    assert str(folder / "venv") in told[1]


def copy(words, work):
    *sources, target = words
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, work / target)
        else:
            shutil.copy(ROOT / source, work / target)
