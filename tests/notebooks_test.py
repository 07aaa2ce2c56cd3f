"""The notebooks: they run from top to bottom, and are kept without what they printed."""

import os
import pathlib

import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = {path.name: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def read(name):
    return nbformat.read(NOTEBOOKS[name], as_version=4)


def test_there_are_the_three_that_the_documents_tell_of():
    assert set(NOTEBOOKS) == {"sample_and_edit.ipynb", "train_your_own.ipynb", "write_a_loss.ipynb"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_its_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
            compile(cell.source, name, "exec")
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # of the kernel's libraries; our own are told in the kernel's process
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    folder = tmp_path / "here"
    folder.mkdir()
    notebook = read(name)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": os.fspath(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= {"sample_and_edit.ipynb": 4, "train_your_own.ipynb": 2}.get(name, 0)
