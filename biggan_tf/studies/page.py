"""One HTML page of all studies that were run, with their figures inside of it."""

from __future__ import annotations

from biggan_tf import files
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.studies.contract import Study, StudyResult

PAGE = "studies.html"
_HOLDS = "The claim holds in what was computed."
_FAILS = "The claim does not hold in what was computed."


class StudiesPage:
    """Collects studies and writes the page; its links lead to each of them.

    Args:
        model: The trained model that was studied, as the user named it; "": none.
    """

    def __init__(self, model: str = ""):
        self._report = HtmlReport("Studies of generative adversarial networks")
        self._report.text(
            "Each study takes a claim about GANs and checks it on the layers, games and metrics of biggan_tf. It says "
            "what was computed, what came out, and where the claim stops holding. The numbers stand in the JSON file "
            "of the same name, with all that decides them."
        )
        if model:
            self._report.text(
                f"Studies that can look at a trained model looked at {model}. The report on a run (samples, singular "
                "values, directions, history, curve of truncations) is written by python -m biggan_tf.analyse."
            )

    def add(self, study: Study, result: StudyResult) -> None:
        """Adds a section with the claim, the verdict, the figure and the paragraph."""
        self._report.section(study.title)
        self._report.text(f"Claim: {study.claim} {_HOLDS if result.holds else _FAILS}")
        self._report.figure(result.figure, result.alt)
        self._report.text(result.paragraph)
        self._report.text(f"Numbers: {study.name}.json. Again: python -m biggan_tf.study {study.name} --output=DIR")

    def add_missing(self, study: Study, reason: str) -> None:
        """Adds a section that says why a study was not possible."""
        self._report.section(study.title)
        self._report.text(f"Claim: {study.claim}")
        self._report.missing(f"Not computed: {reason}")

    def save(self, folder: str) -> str:
        """Writes the page, and returns its path."""
        path = files.join(folder, PAGE)
        self._report.save(path)
        return path
