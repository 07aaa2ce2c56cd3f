"""What lies around the code: the citation, the workflow, the hooks and the marks of typed packages."""

import pathlib
import re
import tomllib

import pytest
import yaml

import biggan_tf

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_the_citation_has_what_its_format_asks_for():
    cited = read_yaml("CITATION.cff")
    # Citation File Format 1.2.0: these four are required, and the types and keys of a person are few.
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert str(cited["cff-version"]) == "1.2.0"
    assert cited["type"] in ("software", "dataset")
    assert cited["license"] == PROJECT["project"]["license"]
    assert str(cited["version"]) == biggan_tf.__version__
    for work in (cited, *cited["references"]):
        assert all(set(author) <= {"name", "family-names", "given-names"} for author in work["authors"])
    assert {reference["url"] for reference in cited["references"]} == {PROJECT["project"]["urls"]["Paper"]}


def test_the_workflow_runs_targets_that_there_are_on_the_pythons_that_we_name():
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    steps = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    targets = {target for step in steps for target in re.findall(r"\bmake ([\w-]+)", step)}
    assert targets == {"setup", "lint", "test", "test-long", "test-engines", "test-processors", "soak", "docs"}
    assert all(re.search(rf"^{target}:.*##", MAKEFILE, re.MULTILINE) for target in targets)
    named = re.findall(r"Python :: (3\.\d+)", "".join(PROJECT["project"]["classifiers"]))
    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    assert all(job["timeout-minutes"] for job in jobs.values())


def test_ci_and_the_workflow_install_the_same_engines():
    script, (workflow,) = (
        (ROOT / ".ci/run").read_text(),
        [job for job in read_yaml(".github/workflows/ci.yml")["jobs"].values() if "make test-engines" in str(job)],
    )
    installed = re.compile(r"cmd/prism@v[\d.]+|moto\[s3,server\]==[\d.]+|haproxy|iproute2")
    assert set(installed.findall(str(workflow))) == set(installed.findall(script))
    assert len(set(installed.findall(script))) == 4
    # What `make test-engines` has run is not run again.
    assert "stage make test-engines" in script
    assert "and not engine" in script


def selected(part):
    """The files of tests that arguments of pytest name."""
    words = part.replace("--dist load", "").split()
    ignored = [word.removeprefix("--ignore=") for word in words if word.startswith("--")]
    assert all((ROOT / word.removeprefix("--ignore=")).exists() for word in words)
    paths = [ROOT / word for word in words if not word.startswith("--")]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*_test.py"))}
    return {file for file in files if not any(file.is_relative_to(ROOT / path) for path in ignored)}


@pytest.mark.parametrize("kind", ["slow", "exhaustive"])
def test_every_slow_test_is_in_one_part_of_the_workflows_job(kind):
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    parts = [selected(part) for part in jobs[kind]["strategy"]["matrix"]["part"]]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    marked = {path for path in (ROOT / "tests").rglob("*_test.py") if f"mark.{kind}" in path.read_text()}
    assert marked
    assert marked <= set.union(*parts)
    # Both leave those of engines to a job that runs either kind of them.
    assert all("not engine" in step["run"] for step in jobs[kind]["steps"] if "pytest" in step.get("run", ""))
    assert jobs["engines"]["strategy"]["matrix"]["only"] == ["not exhaustive", "exhaustive"]


def test_ci_and_the_workflow_fuzz_and_show_the_same():
    script, steps = (
        (ROOT / ".ci/run").read_text().replace("\\\n", " "),
        [step.get("run", "") for step in read_yaml(".github/workflows/ci.yml")["jobs"]["hardening"]["steps"]],
    )
    commands = [" ".join(step.replace("\\\n", " ").split()) for step in steps if step and step != "make setup"]
    assert len(commands) == 3
    assert all(command in " ".join(script.split()) for command in commands)


def test_the_hooks_are_the_checks_of_make_lint():
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    programs = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in repository["hooks"]}
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    assert programs == set(re.findall(r"\$\(BIN\)/([\w-]+)", lint))


def test_every_package_says_that_it_is_typed():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]:
        package = pattern.removesuffix("*")
        assert (ROOT / package / "py.typed").exists()
        assert "py.typed" in data[package]
