"""The commands of the README and of the how-tos are run here, by `make demo` or by CI, or read by the real parsers.

Commands run as they are written but for three things: paths that are absolute lie in the test's folder, ports are free
ones, and flags that the commands' help documents are added to make them short. `tests/docs` runs the tutorial.
"""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from PIL import Image

from pipeline.preprocessing import runners
from serving.server import flags as server_flags
from tests.free_port import free_port
from tests.pipeline import archives, pictures
from tests.readme.weights import write_hub_port, write_inception, write_pickle, write_pytorch
from tests.serving.embedded import wait_for

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# In the order in which their commands run: each takes what the ones before it left.
PAGES = (
    "prepare_data",
    "presets",
    "few_images",
    "devices",
    "resume_and_clusters",
    "choose_parts",
    "compare",
    "search",
    "draw_samples",
    "super_resolution",
    "evaluate",
    "import_weights",
    "serve",
    "deploy",
    "track",
)
TEXTS = [README, *((ROOT / f"docs/how_to/{page}.md").read_text() for page in PAGES)]

SHORTER = {
    "biggan_tf.train": ["--config.training.num_steps=2", "--config.checkpoints.every_steps=2"],
    "biggan_tf.evaluate": [
        "--num_samples=16",
        "--num_real=16",
        "--classifier_steps=2",
        "--batch_size=8",
        "--standing=1",
    ],
    "biggan_tf.sample": ["--num=20", "--standing=0"],
    "biggan_tf.save_preset": ["--standing=1"],
    "biggan_tf.compare": ["--config.data.path=data/shapes/32", "--dry_run"],
    "biggan_tf.search": ["--config.data.path=data/shapes/32", "--config.candidates=8", "--dry_run"],
    "biggan_tf.analyse": ["--num_samples=8", "--classes=2", "--frequencies=4"],
    "pipeline.preprocess": ["--num_shapes=300", "--noprogress", "--allow_class_in_one_split"],
    "pipeline.run": ["--until=SchemaGen", "--config.examples.num_shapes=300"],
    "serving.export": ["--passes=1", "--batch_size=4"],
}
# Where a command may stand: what must be true of the README and this test together.
BY_MAKE = re.compile(r"make ([a-z-]+)")
CLUSTER = re.compile(r"--runner=(Flink|Dataflow)Runner")
NOT_TRAINED = re.compile(r"biggan_tf\.train .*(biggan_\w+|progressive_\w+|distribution)")
# What stands for other programs, keys and runs than there are here; `tests/docs` compares its flags with the help. What
# haproxy reads is run by balancer_slow_test.py, and a preprocessing on s3:// by s3_slow_test.py.
READ_ALONE = re.compile(
    r"^(openssl|tensorboard|aws|haproxy) |tf2onnx|"
    r"--(tracker|auth_tokens_file|token_file|compare)=|serving\.export --weights=cifar10_biggan|=s3://"
)


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands():
    """Every line of every sh block, once."""
    lines = [line for text in TEXTS for block in blocks(text, "sh") for line in block.splitlines() if line]
    return list(dict.fromkeys(re.sub(r"\s+# .*", "", line) for line in lines))


def kind_of(command):
    """Who sees to a command."""
    words = shlex.split(command)
    if BY_MAKE.fullmatch(command):
        return "make"
    if READ_ALONE.search(command):
        return "read"
    if words[0] in ("docker", "tensorflow_model_server", "export", "curl", "source"):
        return words[0]
    if words[:4] == ["python", "-m", "pip", "install"]:
        return "pip"
    if words[:2] != ["python", "-m"]:
        return None
    if words[2] in ("serving.server", "serving.client"):
        return words[2]
    if CLUSTER.search(command):
        return "cluster"
    return "dry" if NOT_TRAINED.search(command) else "run"


COMMANDS = commands()


def of_kind(*kinds):
    return [command for command in COMMANDS if kind_of(command) in kinds]


def test_every_command_has_someone_who_runs_it():
    assert len(COMMANDS) > 25
    assert [command for command in COMMANDS if kind_of(command) is None] == []


def test_every_how_to_with_commands_is_among_the_pages():
    texts = {path.stem: path.read_text() for path in (ROOT / "docs/how_to").glob("*.md")}
    assert set(PAGES) == {page for page, text in texts.items() if blocks(text, "sh")}


def test_make_has_the_targets():
    makefile = (ROOT / "Makefile").read_text()
    for command in of_kind("make"):
        assert re.search(rf"^{BY_MAKE.fullmatch(command)[1]}:.*##", makefile, re.MULTILINE), command


def test_what_the_readme_names_exists():
    named = re.findall(r"\]\(([\w/.-]+)\)|`((?:biggan_tf|configs|examples|pipeline|serving|tests)/[\w./-]*)`", README)
    assert len(named) > 10
    for path in filter(None, (first or second for first, second in named)):
        assert (ROOT / path).exists(), path
    for path in (ROOT / "configs").glob("[a-z]*.py"):
        assert f"`configs/{path.name}`" in README, "the table of recipes has them all"


def test_docker_builds_from_files_that_are_there():
    built, run = set(), []
    for words in map(shlex.split, of_kind("docker")):
        if words[1] == "build":
            assert (ROOT / words[words.index("-f") + 1]).exists()
            assert words[-1] == "."
            built.add(words[words.index("-t") + 1])
        else:
            run.append(words)
    assert len(run) == 2
    assert all(built & set(words) for words in run), "what is run was built"


@pytest.mark.parametrize("command", of_kind("tensorflow_model_server", "serving.server"))
def test_the_servers_flags_are_known(command):
    words = shlex.split(command)
    options, unknown = server_flags.parse(words[1 if words[0] == "tensorflow_model_server" else 3 :])
    assert unknown == []
    assert dataclasses.asdict(options)["model_base_path"]
    assert not (words[0] == "tensorflow_model_server" and options.playground_port)


def test_tf_config_is_what_tensorflow_reads():
    (command,) = of_kind("export")
    name, _, value = shlex.split(command)[1].partition("=")
    assert name == "TF_CONFIG"
    assert json.loads(value)["task"] == {"type": "worker", "index": 0}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all that the README takes for given."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "configs").symlink_to(ROOT / "configs")
    draw = np.random.default_rng(0)
    train = {f"n0000000{i}": [(f"n0000000{i}_{j}.JPEG", photo(10 * i + j)) for j in range(4)] for i in range(2)}
    validation = [(f"ILSVRC2012_val_0000000{i + 1}.JPEG", photo(90 + i)) for i in range(2)]
    archives.write(folder / "archives", train, validation, [1, 2], sorted(train))
    for name in ("cats", "dogs"):
        (folder / "my/pictures" / name).mkdir(parents=True)
        for i in range(8):
            image = Image.fromarray(draw.integers(0, 256, (80 + i, 100, 3), np.uint8))
            image.save(folder / "my/pictures" / name / f"{i}.png")
    write_hub_port(folder / "biggan-deep-128")
    write_pytorch(folder)
    write_pickle(folder / "network.pkl")
    write_inception(folder / "pt_inception-2015-12-05-6726825d.pth")
    return folder


def photo(seed):
    return pictures.encoded(pictures.photograph(70, 90, seed), "JPEG")


def here(command, place, more=()):
    """A command's words after `python -m`, with the README's absolute paths inside of the test's folder."""
    words = [re.sub(r"(?<==)/(archives|data|my)\b", rf"{place}/\1", word) for word in shlex.split(command)[2:]]
    shorter = () if "--show" in words else SHORTER.get(words[0], ())  # it only reads what other commands wrote
    return [*words, *shorter, *more]


def succeeded(result, command):
    assert result.status == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_commands_run_in_their_order(commands, place):
    made = []
    for command in of_kind("run"):
        # Nobody has trained these here: the smoke run stands for those that the README evaluates and draws from.
        stand_in = re.sub(r"runs/(biggan_\w+|new)", "runs/smoke", command).replace(
            "/data/imagenet/128", "data/shapes/32"
        )
        words = here(stand_in if re.search(r"biggan_tf\.(evaluate|sample)", command) else command, place)
        if "inception" in command:
            words.append("--metrics=fd,is")
        succeeded(commands.run(*words, cwd=place), command)
        made.append(words[0])
    assert {"pipeline.preprocess", "biggan_tf.train", "biggan_tf.sample", "serving.export", "pipeline.run"} <= set(made)
    for path in ("runs/smoke/sheet.png", "hub.png", "pytorch.png", "pickle", "data/imagenet/128/manifest.json"):
        assert (place / path).exists() or (place / path.removeprefix("data/")).exists(), path


@pytest.mark.slow
@pytest.mark.parametrize("command", of_kind("dry"))
def test_configurations_are_sound(commands, tmp_path, command):
    # In a folder without data, because a dry run looks at what is there.
    result = succeeded(commands.run(*here(command, tmp_path, ["--dry_run"]), cwd=tmp_path), command)
    assert json.loads(result.stdout)["config"]["model"]["resolution"] in (64, 128)


@pytest.mark.slow
@pytest.mark.parametrize("command", of_kind("cluster"))
def test_options_for_clusters_are_known_to_us_or_to_beam(commands, command):
    page = commands.run("pipeline.preprocess", "--help").stdout
    ours = set(re.findall(r"^  --(?:\[no\])?(\w+)", page, re.MULTILINE))
    left = [word for word in shlex.split(command)[3:] if word[2:].partition("=")[0] not in ours]
    options = runners.make_options(left).get_all_options(drop_default=True)
    assert len(options) == len(left)


@pytest.mark.slow
def test_the_ten_lines_draw_a_picture(tmp_path):
    (code,) = blocks(README, "python")
    assert len([line for line in code.splitlines() if line]) <= 10
    run_python(code.replace("picture.show()", ""), tmp_path)
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (1024, 256)


@pytest.mark.slow
def test_a_preset_draws_as_shown(place):
    """After the commands above: the preset is theirs."""
    if not (place / "presets/smoke").exists():
        pytest.skip("the preset is saved by test_commands_run_in_their_order")
    (code,) = blocks((ROOT / "docs/how_to/presets.md").read_text(), "python")
    run_python(code, place)
    with Image.open(place / "picture.png") as picture:
        assert picture.size == (32, 32)


def run_python(code, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=300)


@pytest.mark.slow
def test_a_model_is_trained_and_loaded_from_python_as_shown(place):
    """After the commands above: the data and the run are theirs."""
    if not (place / "runs/smoke/checkpoints").exists():
        pytest.skip("the run is made by test_commands_run_in_their_order")
    code, *_ = blocks((ROOT / "docs/how_to/from_python.md").read_text(), "python")
    shapes = "assert images.shape == (8, 32, 32, 3) and abs(images.numpy()).max() <= 1\n"
    # After each line that samples; the second time from the run's generator.
    run_python(re.sub(r"(^images = .*\n)", rf"\1{shapes}", code, flags=re.MULTILINE), place)
    assert (place / "gan.keras").exists()


@pytest.mark.slow
def test_the_server_answers_the_client_and_curl(commands, place):
    """After the commands above: the export that they made is served and asked."""
    if not (place / "models/biggan/1").exists():
        pytest.skip("the export is made by test_commands_run_in_their_order")
    ports = {number: str(free_port()) for number in ("8500", "8501", "8080")}

    def moved(command):
        return re.sub("|".join(ports), lambda match: ports[match[0]], command)

    (serve,) = (command for command in of_kind("serving.server") if "models/biggan" in command)
    ask, ask_by_name = of_kind("serving.client")
    (curl,) = of_kind("curl")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, *shlex.split(moved(serve))[1:]], cwd=place, env=environment) as process:
        try:
            page = f"http://localhost:{ports['8080']}/"
            wait_for(lambda: process.poll() is not None or answers(page), timeout_s=300)
            succeeded(commands.run(*here(moved(ask), place), cwd=place), ask)
            assert sorted(path.name for path in (place / "pictures").iterdir()) == ["0-0.png", "3-1.png", "7-2.png"]
            succeeded(commands.run(*here(moved(ask_by_name), place), cwd=place), ask_by_name)
            assert (place / "named" / "star-0.png").exists()
            _, _, body, address = shlex.split(moved(curl))
            with urllib.request.urlopen(f"http://{address}", body.encode(), timeout=60) as answer:
                assert "image_bytes" in json.load(answer)["predictions"][0]
        finally:
            process.terminate()
            process.wait(timeout=120)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
