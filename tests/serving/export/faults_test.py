"""Every operation on a file of an export fails once; nothing half-written is left, and the same export succeeds."""

import pathlib
import shutil

import pytest

from serving.export import export_generator as module
from serving.export.config import ExportConfig
from serving.export.export_run import export_run
from tests import faulty_files
from tests.biggan_tf.training import tiny
from tests.serving.export import saved_run

OPERATIONS = {
    "io": ("open", "write", "replace", "rename", "mkdir", "listdir"),
    "full": ("open", "write", "replace", "rename", "mkdir"),
    "short": ("write",),
    "slow": (),
}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Exports to a folder as the command does, from what TensorFlow has written once: its own writes are C++'s."""
    folder, taken = tmp_path_factory.mktemp("run"), []
    saved_run.save(folder / "run", tiny.config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "validate", lambda *unused: None)
        patch.setattr("serving.export.export_run.export_generator", lambda *a, **b: taken.append((a, b)))
        settings = ExportConfig(truncations=(0.0, 1.0), passes=1, batch_size=8)
        export_run(str(folder / "run"), "", settings)
        ((generator, moments, _, *rest), options) = taken[0]
        graph = module.export_generator(generator, moments, str(folder / "models"), *rest, **options)
        shutil.rmtree(f"{graph}/assets")
        folded = generator.config.fold(generator, moments, "float32", "exact")

        class Kept:
            def __init__(self, *unused):
                pass

            def functions(self):
                return {}

        def copy(unused, staged, signatures):
            for path in sorted(pathlib.Path(graph).rglob("*")):
                target = pathlib.Path(staged, path.relative_to(graph))
                if path.is_dir():
                    target.mkdir()
                else:
                    target.write_bytes(path.read_bytes())

        patch.setattr(module, "ServedGenerator", Kept)
        patch.setattr(module, "_reference", lambda *unused: {})
        patch.setattr(module.tf.saved_model, "save", copy)
        patch.setattr(type(generator.config), "fold", lambda *unused: folded)
        yield lambda base: module.export_generator(generator, moments, str(base), *rest, **options)


def contents(base):
    return {
        str(path.relative_to(base)): path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.is_file() and "warmup" not in path.name
    }


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("kind", OPERATIONS)
def test_any_operation_may_fail_and_the_same_export_succeeds(tmp_path, export, attack, kind):
    operations = OPERATIONS[kind]
    export(tmp_path / "straight")
    expected = contents(tmp_path / "straight")
    with faulty_files.Faults(tmp_path / "count", operations=operations) as faults:
        export(tmp_path / "count")
    refused = tries = 0
    for number in range(1, faults.count + 1):
        base = tmp_path / "base"
        shutil.rmtree(base, ignore_errors=True)
        with faulty_files.Faults(base, at=number, kind=kind, operations=operations) as faults:
            try:
                export(base)
            except OSError:
                refused += 1
                assert not base.exists() or not [path for path in base.iterdir() if path.name.isdecimal()]
            else:
                assert contents(base) == expected, faults.failed
        tries += bool(faults.failed) or kind == "slow"
        path = export(base)
        assert {name.partition("/")[2]: data for name, data in contents(base).items() if name.startswith(path[-1])} == {
            name.partition("/")[2]: data for name, data in expected.items() if name.startswith("1/")
        }, faults.failed
        assert not list(base.glob("staging-*")), faults.failed
    assert tries
    outcome = f"{refused} ended with one error, {tries - refused} did without; the next export was whole each time"
    attack("server", f"an export with one operation on a file failing ({kind})", tries, tries, outcome)
