"""What a study is: a claim about GANs, the computation that checks it, and what comes out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from biggan_tf.studies.studied_model import StudiedModel

# What the JSON file of a study may hold; arrays become lists there.
StudyValue: TypeAlias = (
    bool | int | float | str | np.generic | Num[np.ndarray, "..."] | Sequence["StudyValue"] | Mapping[str, "StudyValue"]
)
StudyBudget: TypeAlias = Literal["small", "full"]
BUDGETS: tuple[StudyBudget, ...] = ("small", "full")
T = TypeVar("T")


class StudyError(ValueError):
    """A study cannot use the model or the images that it was given; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class StudyContext:
    """What a study may use.

    Attributes:
        seed: Decides all that is random. The initial weights of Keras's layers follow it too: `perform` sets the global
            seed before a study runs.
        budget: "small": a second or two, for the tests; "full": about 20 seconds on two cores.
        model: The trained networks to study; None: the study takes small ones of its own.
        data: Folder of preprocessed real images for a study that compares with such; "": those of the model's run, or
            drawn ones without a model.
    """

    seed: int = 0
    budget: StudyBudget = "full"
    model: StudiedModel | None = None
    data: str = ""

    def sized(self, small: T, full: T) -> T:
        """The one of two settings that belongs to the budget."""
        return small if self.budget == "small" else full

    def random(self, purpose: str) -> np.random.Generator:
        """A generator of random numbers that depends on the seed and the purpose alone.

        Args:
            purpose: Any text. Two purposes share no numbers, so that one part of a study can change without another.
        """
        digest = hashlib.blake2b(f"{self.seed}/{purpose}".encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        holds: Whether the claim held, within the tolerance that the study states in its settings.
        numbers: What was computed, by name: all that the figure shows, and the numbers that decide `holds`.
        settings: What decides the numbers: sizes, counts, tolerances.
        paragraph: Plain words: the claim, what was computed, what came out, where the claim stops holding.
        figure: It can be read without the paragraph: the title says what is seen, and axes have their units.
        alt: What the figure shows, in a sentence for those who cannot see it.
    """

    holds: bool
    numbers: Mapping[str, StudyValue]
    settings: Mapping[str, StudyValue]
    paragraph: str
    figure: Figure
    alt: str


@dataclasses.dataclass(frozen=True)
class Study:
    """A claim and the computation that checks it.

    Attributes:
        name: The word by which the command and the registry know it, and the name of its files.
        title: A few words for the headings of the page.
        claim: One sentence that can turn out to be wrong.
        run: Computes everything, with the package's own layers, games and metrics.
        uses_run: Whether it can study a trained run or imported weights, `StudyContext.model`.
    """

    name: str
    title: str
    claim: str
    run: Callable[[StudyContext], StudyResult]
    uses_run: bool = False
