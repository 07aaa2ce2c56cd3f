import json

import pytest

from biggan_tf.architecture_search import page, proxies, record, searching, space
from biggan_tf.comparison import comparing
from biggan_tf.comparison.measurements import EntryMeasurement, Measurements, RunMeasurement, Spread
from biggan_tf.comparison.plan import Parameters
from biggan_tf.config import Config, recipe_names
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.training.shutdown import Shutdown
from tests.biggan_tf.architecture_search import toy
from tests.data import made_data


class Trainings:
    """Stands for the comparisons: a recipe is the better the more channels it has; it stops when it is told to."""

    def __init__(self):
        self.called, self.stop_at, self.failing = [], -1, set()

    def __call__(self, comparison, output, shutdown):
        self.called.append((output.rpartition("/")[2], [entry.name for entry in comparison.entries]))
        assert comparison.evaluation.reference_path.endswith("out/reference.npz")
        if len(self.called) == self.stop_at:
            return None
        entries = sorted(comparison.entries, key=lambda entry: -entry.recipe.model.generator_channels)
        return Measurements(tuple(map(self._entry, entries)), None, len(entries))

    def _entry(self, entry):
        metrics = (
            {} if entry.name in self.failing else {"fd_tiny": Spread.of([10.0 - entry.recipe.model.generator_channels])}
        )
        run = RunMeasurement(entry.name, 0, 1, 8, 1.0, {}, (), "", ())
        return EntryMeasurement(entry.name, Parameters(generator=1, discriminator=1), (run,), metrics)


def memory_of(recipe):
    return 2**20 * recipe.model.generator_channels


@pytest.fixture
def trainings(monkeypatch):
    made = Trainings()
    monkeypatch.setattr(comparing, "compare", made)
    monkeypatch.setattr(searching, "load_extractor", lambda name, path: None)
    monkeypatch.setattr(
        space,
        "cost_of",
        lambda recipe: space.CandidateCost(10, 10, 250 * recipe.model.generator_channels, memory_of(recipe)),
    )

    def measure(recipe, names, images, labels, seed):
        assert images.shape[0] == 4
        return {name: float(recipe.model.generator_channels) for name in names}

    monkeypatch.setattr(proxies, "measure", measure)
    return made


@pytest.fixture
def config(tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    return toy.search(tmp_path / "data")


def run(config, output):
    return searching.search(
        config, str(output), Shutdown(has_work=False), lambda known: page.write(config, known, str(output))
    )


def test_rounds_take_the_best_of_the_one_before_and_the_base(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    assert [name for name, _ in trainings.called] == ["round_1", "round_2"]
    first, second = (entries for _, entries in trainings.called)
    assert first[0] == second[0] == "base"
    assert (len(first), len(second)) == (4, 2)
    best = max(first[1:], key=lambda name: found.candidates[name].recipe.model.generator_channels)
    assert (
        found.candidates[second[1]].recipe.model.generator_channels
        == found.candidates[best].recipe.model.generator_channels
    )
    assert [result["images"] for result in found.results] == [80, 160]


def test_the_best_recipe_is_a_file_that_trains(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    path = tmp_path / "out" / "best.py"
    namespace = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)  # as --config does
    recipe = namespace["get_config"]()
    assert isinstance(recipe, Config)
    assert recipe == found.candidates[searching.winner(found)].recipe
    assert recipe_names.find(str(path))
    assert "--config=best.py --config.data.path=DATA --workdir=DIR" in path.read_text()


def test_a_search_that_is_stopped_goes_on_where_it_was(config, trainings, tmp_path):
    trainings.stop_at = 2
    assert run(config, tmp_path / "out") is None
    found = run(config, tmp_path / "out")
    assert [name for name, _ in trainings.called] == ["round_1", "round_2", "round_2"]
    assert trainings.called[1] == trainings.called[2]
    assert len(found.results) == 2
    trainings.called.clear()
    assert run(config, tmp_path / "out") == found
    assert trainings.called == []


def test_missing_weights_of_the_evaluation_are_told_before_the_proxies(config, trainings, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "load_extractor", load_extractor)
    measured = []
    monkeypatch.setattr(proxies, "measure", lambda *arguments: measured.append(arguments))
    config.evaluation.features = "classifier"
    with pytest.raises(ValueError, match="classifier features need the file of their weights"):
        run(config, tmp_path / "out")
    assert measured == []
    assert not (tmp_path / "out" / "search.json").exists()


def test_a_search_that_is_over_needs_no_weights_any_more(config, trainings, tmp_path, monkeypatch):
    found = run(config, tmp_path / "out")
    monkeypatch.setattr(searching, "load_extractor", lambda name, path: pytest.fail("its numbers are all there"))
    assert run(config, tmp_path / "out") == found


def test_another_search_in_the_folder_is_refused(config, trainings, tmp_path):
    run(config, tmp_path / "out")
    config.seed = 3
    with pytest.raises(space.SearchError, match=r"seed: 0 and 3"):
        run(config, tmp_path / "out")


def test_another_protocol_in_the_folder_is_refused_by_the_name_of_its_field(config, trainings, tmp_path):
    run(config, tmp_path / "out")
    config.evaluation.num_samples = 17
    with pytest.raises(space.SearchError, match=r"otherwise\. Received:\n  - evaluation.num_samples: 16 and 17\nName"):
        run(config, tmp_path / "out")


def test_a_folder_of_a_version_that_wrote_no_protocol_goes_on_and_has_one_then(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    path = tmp_path / "out" / record.FILE
    values = json.loads(path.read_text())
    whole = dict(values["settings"])
    for name in [name for name in whole if name.startswith(("evaluation.", "data.split"))]:
        del values["settings"][name]
    assert len(values["settings"]) < len(whole) - 5
    path.write_text(json.dumps(values))
    trainings.called.clear()
    assert run(config, tmp_path / "out") == found
    assert trainings.called == []
    assert json.loads(path.read_text())["settings"] == whole


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": {}}'])
def test_a_damaged_record_is_said_to_be_one(config, trainings, tmp_path, text):
    run(config, tmp_path / "out")
    path = tmp_path / "out" / record.FILE
    settings = json.loads(path.read_text())["settings"]
    path.write_text(text.replace("{}}", json.dumps(settings) + "}"))
    with pytest.raises(space.SearchError, match=r"must be the record of a search|configured otherwise"):
        run(config, tmp_path / "out")


def test_the_page_and_the_table_say_what_became_of_each(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    header, rows = page.table(config, found)
    assert header[:4] == ["recipe", "what became of it", "round 1: fd tiny", "round 2: fd tiny"]
    assert header[4:] == ["score", "operations", "parameters", "memory", "width", "norm", "attention"]
    base = next(row for row in rows if row[0] == "base")
    assert base[4:8] == ["", "1.00", "1.00", "1.00"]
    wide = next(row for row in rows if row[8] == "2")
    assert wide[5:8] == ["0.50", "1.00", "0.50"]
    assert len(rows) == 7
    by_name = {row[0]: row[1] for row in rows}
    assert by_name["base"] == "the recipe to be compared with"
    chosen = found.chosen
    assert by_name[chosen[1][0]].startswith("place ")
    assert by_name[chosen[1][0]].endswith(" in round 2")
    left = next(name for name in chosen[0] if name not in chosen[1])
    assert by_name[left].endswith("of 4 in round 1")
    assert [text for name, text in by_name.items() if name not in ["base", *chosen[0]]] == [
        "not trained: others had better scores"
    ] * 3
    html = (tmp_path / "out" / page.PAGE).read_text()
    assert "A &lt;toy&gt; search" in html
    assert "img alt" in html
    text = (tmp_path / "out" / page.TABLE).read_text()
    assert "The rank correlation (Spearman) is that with the places of the first round, over 3 candidates;" in text
    assert "| score: its mean rank over the numbers below | lower | " in text
    assert "and 4 MiB of a training on one device" in text


def test_the_rank_correlation_is_that_with_the_places_of_the_first_round(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    proxy = config.proxies[0]
    for place, name in enumerate(found.results[0]["metrics"]):
        found.proxies.setdefault(name, {})[proxy] = float(-(place**3))
    rows = {row[0].partition(":")[0]: row for row in page.proxy_table(config, found)[1]}
    sign = -1 if proxies.PROXIES[proxy].lower_is_better else 1
    assert rows[proxy.replace("_", " ")][2] == f"{sign:.2f}"


def test_candidates_that_failed_share_the_last_place(config, trainings, tmp_path):
    found = run(config, tmp_path / "out")
    metrics = found.results[0]["metrics"]
    proxy, names = config.proxies[0], [name for name in metrics if name != space.BASE]
    assert len(names) == 3
    sign = 1.0 if proxies.PROXIES[proxy].lower_is_better else -1.0

    def correlation(costs):
        for name, cost in zip(names, costs, strict=True):
            found.proxies[name][proxy] = sign * cost
        rows = {row[0].partition(":")[0]: row for row in page.proxy_table(config, found)[1]}
        return rows[proxy.replace("_", " ")][2]

    assert correlation([1.0, 2.0, 3.0]) == "1.00"
    metrics[names[1]].clear()
    metrics[names[2]]["fd_tiny"] = float("nan")
    # Places 1, 2.5 and 2.5, whichever of the two that failed is told first.
    assert correlation([1.0, 2.0, 3.0]) == correlation([1.0, 3.0, 2.0]) == "0.87"


def test_a_training_that_failed_is_told_and_does_not_go_on(config, trainings, tmp_path):
    trainings.failing = {f"c0{n}" for n in range(1, 7)}
    found = run(config, tmp_path / "out")
    assert searching.winner(found) == "base"
    assert page.reason(found, found.chosen[0][0]) == "failed in round 1"
    assert found.chosen[1] == []
