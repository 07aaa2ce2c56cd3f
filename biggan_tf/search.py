"""Searches for an architecture: draws recipes within a budget, ranks them untrained, and trains the best for longer.

python -m biggan_tf.search --config=configs/search_shapes.py --config.data.path=DATA --output=DIR

Each round trains fewer recipes for longer, as a comparison in DIR/round_1, DIR/round_2 and so on. The same command goes
on where it was stopped. DIR/best.py is the recipe that `biggan_tf.train` takes, DIR/search.html and table.md have every
candidate with its score and what became of it, and DIR/search.json has all numbers. `--dry_run` prints the candidates.

Exit status: 0 the search is done; 2 its configuration or the data is wrong, or another process writes DIR, and the
message says what to change; 1 another error of a training; 74 the disk was full, read-only or had an error; 75 SIGTERM
or SIGINT stopped it, and the training in progress was saved.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-search")

import dataclasses
from collections.abc import Sequence

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.comparison import command
from biggan_tf.config import flags as config_flags
from biggan_tf.config.search import SearchConfig

_CONFIG = config_flags.define_config(example="configs/search_shapes.py")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Local folder of the search, e.g. runs/search; it is created if it is not there."
)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the candidates and what they cost, as JSON, and end.")


def main(argv: Sequence[str]) -> int:
    """Searches, or prints the candidates; returns the exit status."""
    del argv
    config = config_flags.resolve(_CONFIG, SearchConfig)
    config.validate()
    output = _OUTPUT.value or ""
    plan = (lambda: _drawn(config)) if _DRY_RUN.value else None
    return command.run("biggan_tf.search", "search", output, plan, lambda: _search(config, output))


def run() -> None:
    """The console script."""
    config_flags.run(main, SearchConfig, recipes="search_*.py")


def _search(config: SearchConfig, output: str) -> int:
    from biggan_tf.architecture_search import page, searching
    from biggan_tf.training import loop
    from biggan_tf.training.shutdown import Shutdown

    with Shutdown(has_work=False) as shutdown:
        record = searching.search(config, output, shutdown, lambda record: page.write(config, record, output))
    if record is None:
        return loop.INTERRUPTED
    page.write(config, record, output)
    print(files.read_text(files.join(output, page.TABLE)))  # noqa: T201 - the output
    print(files.join(output, page.PAGE))  # noqa: T201
    print(files.join(output, searching.BEST))  # noqa: T201
    return loop.DONE


def _drawn(config: SearchConfig) -> dict[str, object]:
    """What `--dry_run` prints."""
    from biggan_tf.architecture_search import space

    drawn = space.draw(config)
    return {
        "name": config.name,
        "candidates": {
            candidate.name: {"options": candidate.options, **dataclasses.asdict(candidate.cost)}
            for candidate in (drawn.base, *drawn.candidates)
        },
        "refused": [dataclasses.asdict(refusal) for refusal in drawn.refusals],
        "trainings": [
            {"candidates": each.candidates + 1, "seeds": len(each.seeds), "images": each.images}
            for each in config.rounds
        ],
    }


if __name__ == "__main__":
    run()
