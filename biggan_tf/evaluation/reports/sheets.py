"""The kinds of sheets that `biggan_tf.sample` draws, in one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.evaluation.reports import memorisation
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.evaluation.sampling import sheet_plans, style_plans, walks
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.evaluation.sampling.sampling_options import SamplingOptions


@dataclasses.dataclass(frozen=True)
class SheetRequest:
    """What a sheet shall show.

    Attributes:
        loaded: The generator.
        sampling: How its images are generated.
        classes: The classes by index, synset or name, with commas between them; "": the first ones, or random ones. For
            "arithmetic" each may have a weight, such as "0.5*tabby,0.5*tiger cat".
        rows: How many rows the sheet has; for "neighbours" how many samples.
        columns: How many images each row has.
        truncations: For "truncation": one row for each.
        title: A text above the sheet; "": none.
        data: For "neighbours": the folder of the real images; "": those of the run.
        features: For "neighbours": the network whose features are compared.
        features_path: The file of that network's weights; "" where it needs none.
        layers: For "mixing": the ranges of layers that are taken over, see `style_plans.layer_range`; the rows are
            divided among them.
    """

    loaded: LoadedGenerator
    sampling: SamplingOptions = dataclasses.field(default_factory=SamplingOptions)
    classes: str = ""
    rows: int = 8
    columns: int = 8
    truncations: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 1.0, 2.0)
    title: str = ""
    data: str = ""
    features: str = "efficientnet_lite0"
    features_path: str = ""
    layers: tuple[str, ...] = style_plans.RANGES


class _Canvas(NamedTuple):
    """What every kind of sheet needs."""

    request: SheetRequest
    sampler: GeneratorSampler
    names: ClassNames

    def labels(self) -> list[int]:
        """The labels of the classes that were named."""
        return self.names.parse(self.request.classes)

    def labels_or_first(self) -> list[int]:
        """The labels of the classes that were named; of none, those of the first classes, one for each row."""
        return self.labels() or list(range(min(self.request.rows, self.sampler.num_classes)))

    def sheet(self, plan: sheet_plans.SheetPlan | style_plans.StylePlan) -> Image.Image:
        images = plan.render(self.sampler)
        return draw_sheet(images, plan.row_captions, plan.column_captions, self.request.title)


def _classes(canvas: _Canvas) -> Image.Image:
    labels = canvas.labels_or_first()
    return canvas.sheet(sheet_plans.by_class(canvas.sampler, canvas.names, labels, canvas.request.columns))


def _random(canvas: _Canvas) -> Image.Image:
    request = canvas.request
    return canvas.sheet(sheet_plans.at_random(canvas.sampler, request.rows, request.columns, canvas.labels()))


def _truncation(canvas: _Canvas) -> Image.Image:
    request, labels = canvas.request, canvas.labels()
    column_captions = sheet_plans.in_a_row(canvas.sampler, canvas.names, request.columns, labels).column_captions
    rows = []
    for truncation in request.truncations:
        request.sampling.prepare(request.loaded, truncation)
        sampler = canvas.sampler.at(truncation)
        rows.append(sheet_plans.in_a_row(sampler, canvas.names, request.columns, labels).render(sampler)[0])
    captions = [f"truncation {truncation:g}" for truncation in request.truncations]
    return draw_sheet(np.stack(rows), captions, column_captions, request.title)


def _interpolation(vary: str) -> Callable[[_Canvas], Image.Image]:
    def draw(canvas: _Canvas) -> Image.Image:
        request, labels = canvas.request, canvas.labels_or_first()
        if vary != "z" and len(labels) < 2:
            raise ValueError(f"interpolate_{vary} needs two classes or more. Received: --classes={request.classes!r}")
        plan = sheet_plans.interpolation(canvas.sampler, canvas.names, labels, request.rows, request.columns, vary)
        return canvas.sheet(plan)

    return draw


def _hierarchical(canvas: _Canvas) -> Image.Image:
    label = next(iter(canvas.labels_or_first()), 0)
    return canvas.sheet(sheet_plans.hierarchical(canvas.sampler, label, canvas.request.columns))


def _arithmetic(canvas: _Canvas) -> Image.Image:
    terms = sheet_plans.parse_terms(canvas.request.classes, canvas.names)
    return canvas.sheet(sheet_plans.arithmetic(canvas.sampler, canvas.names, terms, canvas.request.rows))


def _mixing(canvas: _Canvas) -> Image.Image:
    request = canvas.request
    rows = max(1, request.rows // len(request.layers))
    return canvas.sheet(
        style_plans.mixing(canvas.sampler, canvas.labels(), request.layers, rows, max(1, request.columns - 1))
    )


def _noise(canvas: _Canvas) -> Image.Image:
    request = canvas.request
    columns = max(1, request.columns - 1)
    images, row_captions, column_captions = style_plans.noise_variation(
        canvas.sampler, canvas.labels(), canvas.names, request.rows, columns
    )
    return draw_sheet(images, row_captions, column_captions, request.title)


def _interpolate_w(canvas: _Canvas) -> Image.Image:
    request = canvas.request
    return canvas.sheet(
        style_plans.interpolation(canvas.sampler, canvas.labels(), request.rows, max(2, request.columns))
    )


def _neighbours(canvas: _Canvas) -> Image.Image:
    request = canvas.request
    plan = sheet_plans.in_a_row(canvas.sampler, canvas.names, request.rows, canvas.labels())
    samples = plan.render(canvas.sampler)[0]
    extractor = load_extractor(request.features, request.features_path)
    count = max(request.columns - 1, 1)
    data = request.data or request.loaded.data_path
    images = memorisation.with_neighbours(samples, data, extractor, count=count)
    columns = ("sample", *(f"real {i + 1}" for i in range(count)))
    return draw_sheet(images, plan.column_captions, columns, request.title)


class SheetKind(NamedTuple):
    """One kind of sheet: a line of help, and the function that draws it."""

    description: str
    draw: Callable[[_Canvas], Image.Image]


KINDS: dict[str, SheetKind] = {
    "classes": SheetKind("a class a row", _classes),
    "random": SheetKind("at random", _random),
    "truncation": SheetKind("a truncation a row", _truncation),
    "interpolate_z": SheetKind("from latent to latent", _interpolation("z")),
    "interpolate_class": SheetKind("from class to class", _interpolation("class")),
    "interpolate_both": SheetKind("from image to image", _interpolation("both")),
    "hierarchical": SheetKind("a chunk of z varies", _hierarchical),
    "arithmetic": SheetKind("a sum of classes such as 0.5*tabby,0.5*tiger", _arithmetic),
    "interpolate_w": SheetKind("from style to style", _interpolate_w),
    "mixing": SheetKind("styles of two pictures in one", _mixing),
    "noise": SheetKind("what noise changes", _noise),
    "neighbours": SheetKind("the nearest real images", _neighbours),
}


def draw(kind: str, request: SheetRequest) -> Image.Image:
    """Draws a sheet.

    Args:
        kind: One of `KINDS`.
        request: What to show. The moments of its generator are replaced if its options ask for standing statistics.
    """
    return KINDS[kind].draw(_canvas(request))


def walk(request: SheetRequest, num_stops: int, num_frames: int) -> list[Image.Image]:
    """Draws the frames of an animation, in each cell of which the latent goes around and back to where it began.

    Args:
        request: What to show: rows, columns, classes and title count.
        num_stops: How many latents each cell's way passes.
        num_frames: How many frames there are.
    """
    canvas = _canvas(request)
    grids = walks.frames(
        canvas.sampler,
        canvas.labels(),
        rows=request.rows,
        columns=request.columns,
        num_stops=num_stops,
        num_frames=num_frames,
    )
    return [draw_sheet(grid, title=request.title) for grid in grids]


def _canvas(request: SheetRequest) -> _Canvas:
    request.sampling.prepare(request.loaded, request.sampling.truncation)
    sampler = request.sampling.sampler(request.loaded)
    return _Canvas(request, sampler, ClassNames.of(request.loaded.label_names, sampler.num_classes))
