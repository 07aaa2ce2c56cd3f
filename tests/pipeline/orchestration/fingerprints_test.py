import dataclasses

import pytest

from pipeline.orchestration import fingerprints


@dataclasses.dataclass
class Settings:
    sizes: tuple[int, ...] = (1, 2)
    name: str = "a"


def test_values_decide_and_nothing_else():
    assert fingerprints.of_values({"a": Settings(), "b": 1}) == fingerprints.of_values({"b": 1, "a": Settings()})
    assert fingerprints.of_values(Settings()) != fingerprints.of_values(Settings(name="b"))
    with pytest.raises(TypeError, match="Received: object"):
        fingerprints.of_values(object())


def test_folder_changes_with_names_and_content(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("1")
    first, sizes = fingerprints.of_folder(tmp_path), fingerprints.sizes(tmp_path)
    (tmp_path / "x" / "a").write_text("2")
    assert fingerprints.of_folder(tmp_path) != first
    assert fingerprints.sizes(tmp_path) == sizes
    (tmp_path / "x" / "a").rename(tmp_path / "x" / "b")
    assert fingerprints.sizes(tmp_path) != sizes


def test_code_of_a_missing_source_is_an_error():
    assert fingerprints.of_code(("pipeline/stages",)) != fingerprints.of_code(("pipeline/orchestration",))
    with pytest.raises(FileNotFoundError, match="no_such"):
        fingerprints.of_code(("pipeline/no_such",))
