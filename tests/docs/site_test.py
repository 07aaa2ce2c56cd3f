"""The site of docs/: it builds, its commands are those that there are, and the tutorial works as it is written."""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from PIL import Image

import biggan_tf
from biggan_tf import interop
from biggan_tf.config import Config, field_paths
from serving import client
from tests.docs import command_page, house_test, pages
from tests.free_port import free_port
from tests.readme.weights import write_hub_port, write_pickle, write_pytorch
from tests.serving.embedded import wait_for

ROOT = pathlib.Path(__file__).parents[2]
HELP = command_page.PAGE.read_text()
# Flags that no page of one screen has room for; `--helpfull` lists them.
FURTHER_FLAGS = {"serving.server": {"rest_api_host", "playground_host", "grpc_socket_path"}}
# Of Beam, which has far more than we document.
BEAM_FLAGS = {
    *("runner", "flink_master", "parallelism", "environment_type", "environment_config"),
    *("project", "region", "temp_location", "sdk_container_image"),
}
SMALL = {
    "biggan_tf.train": ["--config.training.num_steps=2", "--config.checkpoints.every_steps=2"],
    "biggan_tf.evaluate": ["--num_samples=16", "--classifier_steps=2", "--batch_size=8"],
    "serving.export": ["--passes=1", "--batch_size=4"],
    "pipeline.preprocess": ["--noprogress"],
}


def documented_flags(module):
    """The flags that a command's help page lists."""
    (text,) = re.findall(rf"^`python -m {re.escape(module)}`\n\n```text\n(.*?)^```", HELP, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^ +--(?:\[no\])?(\w+)", text, re.MULTILINE)) | FURTHER_FLAGS.get(module, set())


COMMANDS = [(page, words) for page in pages.PAGES for words in pages.words_of_modules(page)]


def test_pages_show_commands():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}-{words[0]}" for page, words in COMMANDS])
def test_flags_on_a_page_are_the_commands(page, words):
    module, *flags = words
    # A study has its name as a word of its own.
    names = [flag.removeprefix("--").partition("=")[0] for flag in flags if flag.startswith("--")]
    known = documented_flags(module) | BEAM_FLAGS
    assert [name for name in names if not name.startswith("config.") and name not in known] == []
    fields = {name.removeprefix("config.") for name in names if name.startswith("config.")}
    assert fields - set(field_paths(Config())) == set()


@pytest.mark.parametrize("page", pages.PAGES)
def test_files_that_a_page_names_exist(page):
    named = re.findall(r"`((?:biggan_tf|configs|examples|pipeline|serving|tests|docs)/[\w./-]*)`", pages.PAGES[page])
    assert [path for path in named if not ((ROOT / path).exists() or (ROOT / f"{path}.py").exists())] == []


def test_the_table_of_the_architecture_has_the_arrows_of_the_picture():
    rows = re.findall(r"^\| `([\w/]+)` \| [^|]+ \| ([^|]+) \|$", pages.PAGES["architecture.md"], re.MULTILINE)
    packages = {name.replace("/", ".") for name, _ in rows}
    arrows = {
        (name.replace("/", "."), other.replace("/", "."))
        for name, cell in rows
        for other in re.findall(r"`([\w/]+)`", cell)
    }
    assert packages == house_test.PACKAGES
    assert arrows == house_test.ARROWS


def public_names():
    """Where the names that are meant for use are defined."""
    packages = ((biggan_tf, set(biggan_tf._NAMES)), (interop, interop.__all__), (client, client.__all__))
    objects = [getattr(package, name) for package, names in packages for name in names]
    return {f"{thing.__module__}.{thing.__qualname__}" for thing in objects}


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path):
    result = pages.build_site(ROOT, tmp_path)
    assert result.returncode == 0, result.stderr
    html = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(html) >= len(pages.PAGES)
    for path, text in html.items():
        assert not re.findall(r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//', text), path
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(?:https?:)?//', text), path
        # The theme would fetch Mermaid from another server.
        assert 'class="mermaid"' not in text, path
    anchors = set(re.findall(r'id="(biggan_tf[\w.]+|serving[\w.]+)"', "".join(html.values())))
    assert public_names() - anchors == set()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[x](gone.md)", "[x](#gone)", "![x](gone.png)", "::: biggan_tf.gone"])
def test_what_a_page_links_to_must_be_there(tmp_path, text):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Home\n\n{text}\n")
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0].replace('paths: ["."]', f'paths: ["{ROOT}"]')
    (tmp_path / "mkdocs.yml").write_text(settings)
    result = pages.build_site(tmp_path, tmp_path / "site")
    assert result.returncode != 0
    assert "gone" in result.stderr + result.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse of Python 3.13 formats the client's help otherwise")
def test_the_page_of_commands_is_what_they_print(commands):
    def printed(module):
        return commands.run(module, "--help", environment={"COLUMNS": command_page.COLUMNS}).stdout

    assert command_page.page(printed) == HELP, "`python -m tests.docs.command_page` writes it again"


def write_pictures(folder):
    draw = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = draw.integers(0, 256, (40 + number, 50, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_works_as_it_is_written(commands, tmp_path):
    write_pictures(tmp_path / "pictures")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    lines = pages.words_of_modules("tutorial.md")
    serve = next(words for words in lines if words[0] == "serving.server")
    ask = next(words for words in lines if words[0] == "serving.client")
    for words in lines:
        if words not in (serve, ask):
            result = commands.run(*words, *SMALL.get(words[0], ()), cwd=tmp_path)
            assert result.status == 0, f"{words}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    for path in ("runs/pictures/sheet.png", "runs/pictures/between.png", "runs/pictures/evaluation/result.json"):
        assert (tmp_path / path).exists(), path
    (curl,) = [line for line in pages.commands("tutorial.md") if line.startswith("curl")]
    _, _, body, address = shlex.split(curl)
    served(commands, tmp_path, serve, ask, body, address)
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == ["0-0.png", "1-1.png"]


def served(commands, folder, serve, ask, body, address):
    """Starts the server of the page on free ports, and asks it as the page does."""
    ports = {number: str(free_port()) for number in ("8500", "8501", "8080")}

    def moved(word):
        return re.sub("|".join(ports), lambda match: ports[match[0]], word)

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *map(moved, serve)]
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            url = f"http://{moved(address)}"
            wait_for(lambda: process.poll() is not None or answers(url.removesuffix(":predict")), timeout_s=300)
            result = commands.run(*map(moved, ask), cwd=folder)
            assert result.status == 0, result.stderr
            with urllib.request.urlopen(url, body.encode(), timeout=60) as answer:
                assert b"image_bytes" in answer.read()
        finally:
            process.send_signal(signal.SIGINT)  # the page says that Ctrl+C ends it
            process.wait(timeout=120)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return b"AVAILABLE" in answer.read()
    except OSError:
        return False


@pytest.mark.slow
def test_weights_are_imported_as_the_page_shows(tmp_path):
    write_hub_port(tmp_path / "biggan-deep-128")
    write_pytorch(tmp_path)
    write_pickle(tmp_path / "network.pkl")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "\n".join(pages.blocks("how_to/import_weights.md", "python"))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=300)
    assert {"picture-3.png", "network.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "models/network/1/saved_model.pb").exists()
