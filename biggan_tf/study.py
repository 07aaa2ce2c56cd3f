"""Checks a claim about GANs on the parts of this package, or on a trained run, and writes what came out.

python -m biggan_tf.study NAME --output=DIR
python -m biggan_tf.study NAME --workdir=RUN --output=DIR
python -m biggan_tf.study all --output=DIR

A study writes NAME.png and NAME.svg, the figure; NAME.json, the numbers and all that decides them; NAME.txt, a
paragraph in plain words. `all` runs every study and writes DIR/studies.html, one page, which also says what could not
be computed of the model and why. `--list` shows the studies.

Exit status: 0 the study was done, whether or not its claim held; 2 the name, the model or the data is wrong, and the
message says what to change.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import textwrap
from collections.abc import Sequence

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.config.checks import MAX_SEED
from biggan_tf.progress import Parts, track
from biggan_tf.studies import registry, side_by_side
from biggan_tf.studies.contract import BUDGETS, Study, StudyBudget, StudyContext
from biggan_tf.studies.execution import perform, write
from biggan_tf.studies.page import StudiesPage
from biggan_tf.studies.studied_model import StudiedModel

_ALL = "all"
_OUTPUT = flags.DEFINE_string("output", "", "Folder of the files, e.g. out/studies; it is created if it is not there.")
_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_DATA = shared_flags.data(" for studies that compare with such")
_LIST = flags.DEFINE_bool("list", False, "Show the names of the studies and their claims, and end.")
_BUDGET = flags.DEFINE_enum("budget", "full", BUDGETS, "How much is computed: small takes a second or two a study.")
_PROCESSES = flags.DEFINE_integer(
    "processes",
    0,
    "How many studies `all` runs at a time, each in a process of 2 to 3 GB; 0: as many as there are cores, four at "
    "most, and one where there is a GPU.",
    lower_bound=0,
)
_SEED = flags.DEFINE_integer(
    "seed", 0, f"From 0 to {MAX_SEED}; decides all that is random.", lower_bound=0, upper_bound=MAX_SEED
)


def main(argv: Sequence[str]) -> int:
    """Runs one study or all of them, or lists them."""
    if _LIST.value:
        print(_listing())  # noqa: T201 - the output
        return 0
    try:
        if len(argv) != 2:
            raise ValueError(f"one NAME must be given, or {_ALL}. Received: {' '.join(argv[1:]) or 'none'}; see --list")
        if not _OUTPUT.value:
            raise ValueError("--output must name a folder for the files. Received: none")
        for flag in (_WORKDIR, _DATA):
            files.require_file_system(f"--{flag.name}", flag.value)
        files.require_local("--output", _OUTPUT.value)
        model = StudiedModel(_WORKDIR.value, _WEIGHTS.value) if _WORKDIR.value or _WEIGHTS.value else None
        budget: StudyBudget = "small" if _BUDGET.value == "small" else "full"
        context = StudyContext(_SEED.value, budget, model, _DATA.value)
        if argv[1] == _ALL:
            _study_all(context, _OUTPUT.value, _PROCESSES.value or side_by_side.number_of_processes())
        else:
            _study_one(registry.load(argv[1]), context, _OUTPUT.value)
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.study: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main, takes_words=True)


def _listing() -> str:
    lines = []
    for study in map(registry.load, registry.STUDIES):
        lines.append(f"{study.name}{' (run)' if study.uses_run else ''}")
        lines += textwrap.wrap(study.claim, 78, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, "", "(run): also studies what --workdir or --weights names."])


def _study_one(study: Study, context: StudyContext, output: str) -> None:
    with Parts([study.name]) as parts:
        parts.begin(study.name)
        result = perform(study, context)
        paths = write(study, context, result, output)
    print(result.paragraph)  # noqa: T201 - the output
    print("\n".join(paths))  # noqa: T201


def _study_all(context: StudyContext, output: str, processes: int) -> None:
    """Runs every study. One that cannot use the model or the data is noted on the page, and the others go on."""
    page = StudiesPage("" if context.model is None else context.model.source)
    if context.model is not None:
        _ = context.model.loaded  # a model that is not there is an error, not a note on the page
    names = list(registry.STUDIES)
    ended = track(side_by_side.outcomes(names, context, output, processes), len(names), "studies", "study")
    found = {outcome.name: outcome for outcome in ended}
    missing: list[str] = []
    for name in names:
        study, outcome = registry.load(name), found[name]
        if outcome.result is None:
            page.add_missing(study, outcome.refusal)
            missing.append(f"{name} was not computed: {outcome.refusal}")
        else:
            page.add(study, outcome.result)
    print("\n".join([*missing, page.save(output)]))  # noqa: T201 - the output


if __name__ == "__main__":
    run()
