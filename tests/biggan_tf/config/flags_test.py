"""The command line of the binaries, as a person meets it."""

import dataclasses
import json
from pathlib import Path

import pytest
from absl import flags as absl_flags

from biggan_tf import __version__
from biggan_tf.config import Config, command_help, field_paths, migration, recipe_names, settings
from biggan_tf.config import flags as config_flags
from biggan_tf.config.settings import setting
from tests.biggan_tf.evaluation.conftest import data_folder

__all__ = ["data_folder"]


@pytest.mark.slow
def test_dry_run_prints_one_json_object(commands):
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", "--config.training.batch_size=32", "--dry_run")
    assert done.status == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["policy"]["asked"] == "auto"
    assert report["policy"]["resolved"] == report["config"]["model"]["policy"]
    assert report["policy"]["resolved"] in ("float32", "mixed_bfloat16")
    assert report["policy"]["reason"]
    assert report["config"]["training"]["batch_size"] == 32
    assert report["parameters"]["generator"] > 0
    assert report["memory_bytes_per_replica"]["total"] > 0


def test_dry_run_looks_whether_the_data_fits(commands, data_folder):
    flags = ("--config=biggan_64", f"--config.data.path={data_folder}", "--config.data.preprocessing=", "--dry_run")
    done = commands.run("biggan_tf.train", *flags)
    assert done.status == 2
    assert "model.num_classes is 1000, the data has 3 classes" in done.stderr
    assert "model.resolution is 64, the images have 32" in done.stderr
    flags = ("--config=biggan_cifar10", *flags[1:], "--config.model.num_classes=3")
    done = commands.run("biggan_tf.train", *flags)
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["data"] == f"{data_folder} fits: 96 images of 32 pixels in 3 classes"
    done = commands.run("biggan_tf.train", "--config=biggan_64", "--config.data.path=none", "--dry_run")
    assert json.loads(done.stdout)["data"] == "not looked at: none holds no data yet"


def test_every_command_tells_the_versions(commands):
    for module in ("biggan_tf.train", "biggan_tf.sample", "pipeline.preprocess", "serving.client"):
        done = commands.run(module, "--version")
        assert done.status == 0, done.stderr
        assert done.stdout.startswith(f"biggan_tf {__version__}\n"), done.stdout
    assert "tensorflow 2." in commands.run("biggan_tf.train", "--version").stdout


def test_a_recipe_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(recipe_names.find("biggan_128")).name == "biggan_128.py"
    assert recipe_names.find("configs/biggan_128.py") == recipe_names.find("biggan_128.py")
    assert recipe_names.find("biggan_128:argument").endswith("biggan_128.py:argument")
    (tmp_path / "biggan_128").write_text("def get_config(): ...")
    assert recipe_names.find("biggan_128") == "biggan_128", "a file of the user's own goes first"
    for name in ("biggan_12", "__init__", "../configs/biggan_64", "/etc/passwd.py", ""):
        assert not recipe_names.find(name)
    assert "smoke" in recipe_names.packaged_names("[a-z]*.py")


def test_dry_run_shows_what_a_run_that_has_begun_goes_on_with(commands):
    run = Path(__file__).parents[2] / "data" / "version_0_1" / "run_float16"
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", f"--workdir={run}", "--dry_run")
    assert done.status == 0, done.stderr
    policy = json.loads(done.stdout)["policy"]
    assert policy == {"asked": "auto", "resolved": "mixed_float16", "reason": "the run had it at step 8"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/smoke.py", "--config.model.resolutoin=64"], "did you mean model.resolution"),
        (["--config=configs/smoke.py", "--config.batch_size=1"], "did you mean training.batch_size?"),
        (["--config=configs/smok.py"], "did you mean smoke?"),
        (["--config=configs/smoke.py", "--config.model.resolution=abc"], "invalid literal for int"),
        (["--config=configs/smoke.py", "--config.model.resolution=100", "--dry_run"], "must be a power of two"),
        (["--config=configs/smoke.py", "--config.model.policy=atuo", "--dry_run"], "did you mean auto?"),
        (
            ["--config=configs/progressive_64.py", "--config.training.growth.batch_sizes=64,0", "--dry_run"],
            "Each of training.growth.batch_sizes must divide into 1 replicas x 1 micro-batches. Received: 0",
        ),
        (["--config=configs/smoke.py", "extra"], "All arguments must be flags"),
    ],
)
def test_a_users_mistake_shows_no_traceback(commands, arguments, message):
    done = commands.run("biggan_tf.train", *arguments)
    assert done.status != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dashes", ["--", "-"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smok"], "--config must name a recipe. Received: smok, which is no file; did you mean smoke?"),
        (["smoke", "--config.model.resolutoin=64"], "did you mean model.resolution"),
    ],
)
def test_a_recipe_in_a_word_of_its_own_is_checked_as_well(dashes, words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        config_flags.parse(["test", f"{dashes}config", *words], Config)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_recipe_that_cannot_be_read_shows_no_traceback(commands, tmp_path):
    (tmp_path / "recipe.py").write_text("def get_config():\n    open('none.txt')\n")
    flags = ("--config", "recipe.py", "--config.training.batch_size=32", "--dry_run")
    done = commands.run("biggan_tf.train", *flags, cwd=tmp_path)
    assert done.status == 2
    assert "recipe.py must load and take its overrides. Received: OSError: " in done.stderr
    assert "none.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recipe_in_a_word_of_its_own_trains(commands, tmp_path):
    done = commands.run("biggan_tf.train", "--config", "smoke", "--config.training.batch_size=32", "--dry_run")
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["config"]["training"]["batch_size"] == 32


@dataclasses.dataclass
class Fields:
    name: str = dataclasses.field(default="a", metadata={"meaning": "A name."})
    size: int = dataclasses.field(default=3, metadata={"meaning": "A size in pixels."})
    share: float = dataclasses.field(default=0.5, metadata={"meaning": "A share."})
    is_loud: bool = dataclasses.field(default=False, metadata={"meaning": "Say more."})
    inner: tuple[int, ...] = ()


def test_flags_derive_from_the_fields_that_have_a_meaning():
    holders = config_flags.define_fields(Fields, prefix="flags_test_", required=("name",))
    assert list(holders) == ["name", "size", "share", "is_loud"]
    absl_flags.FLAGS(["test", "--flags_test_size=7", "--flags_test_is_loud"], known_only=True)
    assert config_flags.values_of(holders) == {"name": None, "size": 7, "share": 0.5, "is_loud": True}
    assert absl_flags.FLAGS["flags_test_size"].help == "A size in pixels."


def test_overrides_name_the_fields_of_the_recipes_own_parts(tmp_path, commands):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        "from biggan_tf.augmentations.config import DifferentiableConfig\n"
        "from biggan_tf.config import Config\n"
        "def get_config():\n"
        "    return Config(augmentation=DifferentiableConfig())\n"
    )
    flags = (f"--config={recipe}", "--config.augmentation.transformations=('color',)", "--dry_run")
    done = commands.run("biggan_tf.train", *flags)
    assert done.status == 0, done.stderr
    expected = {"kind": "differentiable", "transformations": ["color"]}
    assert json.loads(done.stdout)["config"]["augmentation"] == expected
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", *flags[1:])
    assert done.status == 2
    assert "must name a field of the configuration" in done.stderr


@pytest.mark.parametrize(("old", "new"), sorted(migration.MOVED.items()))
def test_a_field_of_version_0_1_is_named_with_its_new_place(old, new, commands):
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", f"--config.{old}=1", "--dry_run")
    assert done.status == 2
    assert f"--config.{old} of version 0.1 is --config.{new} now" in done.stderr
    assert new in set(field_paths(Config()))


def test_help_shows_a_default_of_0_and_no_empty_one():
    absl_flags.DEFINE_integer("help_test_count", 0, "A count.")
    absl_flags.DEFINE_float("help_test_rate", 0.0, "A rate.")
    absl_flags.DEFINE_string("help_test_name", "", "A name.")
    absl_flags.DEFINE_list("help_test_names", [], "Names.")
    absl_flags.DEFINE_bool("help_test_loud", False, "Say more.")
    absl_flags.DEFINE_integer("help_test_limit", None, "A limit.")
    shown = [line.split("  ")[-1].strip() for line in command_help.text(test_help_shows_a_default_of_0_and_no_empty_one)
             .splitlines() if "help_test_" in line]  # fmt: skip
    assert sorted(shown) == ["A count. [0]", "A limit.", "A name.", "A rate. [0.0]", "Names.", "Say more."]


@dataclasses.dataclass
class Settings:
    kind: str = setting("a", "A kind.", choices=("a", "b"))
    count: int = setting(3, "A count.", at_least=1)
    shares: tuple[float, ...] = setting((0.0, 0.5), "Shares, e.g. 0,0.5,1.")


def test_flags_of_settings_take_their_choices_bounds_and_lists():
    holders = config_flags.define_fields(Settings, prefix="settings_test_")
    assert config_flags.values_of(holders) == {"kind": "a", "count": 3, "shares": (0.0, 0.5)}
    absl_flags.FLAGS(["test", "--settings_test_kind=b", "--settings_test_shares=0,0.25,1"], known_only=True)
    assert config_flags.values_of(holders) == {"kind": "b", "count": 3, "shares": (0.0, 0.25, 1.0)}
    assert absl_flags.FLAGS["settings_test_shares"].serialize() == "--settings_test_shares=0.0,0.25,1.0"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("kind=c", "should be one of <a|b>"),
        ("count=0", "not a positive integer"),
        ("shares=0,x", "numbers with commas"),
    ],
)
def test_flags_of_settings_say_what_they_take(argument, message):
    if "settings_told_kind" not in absl_flags.FLAGS:
        config_flags.define_fields(Settings, prefix="settings_told_")
    with pytest.raises(absl_flags.IllegalFlagValueError, match=message):
        absl_flags.FLAGS(["test", f"--settings_told_{argument}"], known_only=True)


def test_problems_of_settings_name_the_field_and_what_it_takes():
    assert list(settings.problems(Settings(kind="c", count=0), "export")) == [
        "export.kind must be a or b. Received: 'c'.",
        "export.count must be at least 1. Received: 0.",
    ]
