"""BUILD files against the tree: they agree, and the comparison finds what it should."""

import shutil

import pytest

from tests import build_files

TRAINING = "biggan_tf/training/BUILD"


@pytest.fixture
def copy(tmp_path):
    """The tree without anything but what BUILD files and imports consist of."""
    files = ["BUILD", "pyproject.toml"]
    for folder in build_files.FOLDERS:
        for pattern in ("*.py", "*.bzl", "BUILD", "*.txt"):
            files += [str(path.relative_to(build_files.ROOT)) for path in (build_files.ROOT / folder).rglob(pattern)]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build_files.ROOT / file, tmp_path / file)
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_build_files_agree_with_the_tree_and_its_imports():
    found = build_files.problems()
    assert not found, "\n".join([*found, "`python -m tests.build_files --fix` writes deps."])


def test_a_missing_dependency_is_named_with_its_import(copy):
    edit(copy / TRAINING, '        "//biggan_tf/contracts",\n', "")
    (found,) = build_files.problems(copy)
    assert found.startswith(f"{TRAINING}, target training: its sources import biggan_tf/contracts/")
    assert found.endswith('; add "//biggan_tf/contracts" to deps')


def test_a_missing_package_of_others_is_named(copy):
    edit(copy / TRAINING, '        "@pypi//keras",\n', "")
    (found,) = build_files.problems(copy)
    assert 'add "@pypi//keras" to deps' in found


def test_a_new_import_is_named(copy):
    with open(copy / "configs/smoke.py", "a") as file:
        file.write("\nimport biggan_tf.data.records\n")
    (found,) = build_files.problems(copy)
    assert "configs/BUILD, target configs" in found
    assert 'add "//biggan_tf/data" to deps' in found


def test_a_dependency_that_nothing_imports_is_named(copy):
    edit(copy / TRAINING, "    deps = [\n", '    deps = [\n        "//configs",\n')
    assert build_files.problems(copy) == [
        f'{TRAINING}, target training: nothing imports "//configs"; remove it from deps'
    ]


def test_a_dependency_that_does_not_exist_is_named(copy):
    edit(copy / TRAINING, '"//biggan_tf/contracts"', '"//biggan_tf/contrasts"')
    problem = "//biggan_tf/contrasts:contrasts, which does not exist"
    assert any(problem in found for found in build_files.problems(copy))


def test_a_file_without_target_is_named(copy):
    edit(copy / "configs/BUILD", 'glob(["*.py"])', 'glob(["[a-r_]*.py", "s[a-ln-z]*.py"])')
    (found,) = build_files.problems(copy)
    assert found.startswith("configs/BUILD: configs/smoke.py is in no target")


def test_a_new_folder_is_named(copy):
    (copy / "pipeline/new").mkdir()
    (copy / "pipeline/new/stage.py").write_text("")
    assert build_files.problems(copy) == [
        'pipeline/new/BUILD: pipeline/new/stage.py is in no target; let the package\'s glob take "stage.py"'
    ]


def test_a_command_without_binary_is_named(copy):
    edit(copy / "pyproject.toml", "[project.scripts]\n", '[project.scripts]\nbiggan-fly = "biggan_tf.latents:run"\n')
    (found,) = build_files.problems(copy)
    assert found.startswith("biggan_tf/BUILD: biggan-fly has no py_binary")


def test_a_circle_is_shown(copy):
    with open(copy / "biggan_tf/ops/resampling.py", "a") as file:
        file.write("\nimport biggan_tf.layers.dense\n")
    build_files.fix(copy)
    (found,) = build_files.problems(copy)
    assert "//biggan_tf/layers:layers -> //biggan_tf/ops:ops -> //biggan_tf/layers:layers" in found


def test_fix_writes_what_the_imports_ask_for(copy):
    before = {path: path.read_text() for path in copy.rglob("BUILD")}
    edit(copy / TRAINING, '        "//biggan_tf/contracts",\n', "")
    edit(copy / "tests/data/BUILD", '        "@pypi//numpy",\n', "")
    whole = '    srcs = ["errors.py"],\n    deps = [\n        ":package",\n    ],\n'
    edit(copy / "pipeline/BUILD", whole, '    srcs = ["errors.py"],\n')
    build_files.fix(copy)
    assert {path: path.read_text() for path in copy.rglob("BUILD")} == before
