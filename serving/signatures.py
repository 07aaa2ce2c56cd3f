"""Names, types and shapes of the exported signatures: the one place export, server tests and client take them from.

Imports nothing heavy, so that a client starts in a fraction of a second. Every input and output has the batch first;
`None` stands for a size that the request chooses, a name for one that the model fixes.
"""

from __future__ import annotations

from dataclasses import dataclass

MODEL_NAME = "biggan"

SAMPLE = "serving_default"
SYNTHESIZE = "synthesize"
EMBED = "embed"
LATENTS = "latents"
SYNTHESIZE_PNG = "synthesize_png"
DISCRIMINATE = "discriminate"

# These wait for a person now and then; a server need not warm them up.
ASKED_BY_PEOPLE = (LATENTS, SYNTHESIZE_PNG)

LABEL = "label"
SEED = "seed"
TRUNCATION = "truncation"
LATENT = "z"
CLASS_WEIGHTS = "y"
# TensorFlow Serving base64-encodes a binary output over REST only if its alias ends in `_bytes`.
IMAGE_BYTES = "image_bytes"
IMAGES = "images"
EMBEDDING = "embedding"
LOGITS = "logits"

# Truncation 0.02 is the smallest that resampling can serve: of 10,000 standard normal draws 160 fall inside.
MIN_TRUNCATION = 0.02
MAX_TRUNCATION = 1.0
DEFAULT_TRUNCATIONS = tuple(round(0.1 * i, 1) for i in range(1, 11))

# How an export computes the rows of a batch, and the field of its provenance that says so.
EXACT, FAST = "exact", "fast"
ROWS = "rows"

LABELS_ASSET = "labels.json"
PROVENANCE_ASSET = "provenance.json"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
DEFAULT_BATCH_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of one named input or output; a string in the shape names a size of the model."""

    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Signature:
    """One exported function."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


_IMAGE = (None, "resolution", "resolution", 3)

SIGNATURES: dict[str, Signature] = {
    SAMPLE: Signature(
        inputs={
            LABEL: TensorSpec("int32", (None,)),
            SEED: TensorSpec("int64", (None,)),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={
            IMAGE_BYTES: TensorSpec("string", (None,)),
            IMAGES: TensorSpec("uint8", _IMAGE),
        },
    ),
    SYNTHESIZE: Signature(
        inputs={
            LATENT: TensorSpec("float32", (None, "z_dim")),
            CLASS_WEIGHTS: TensorSpec("float32", (None, "num_classes")),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={IMAGES: TensorSpec("float32", _IMAGE)},
    ),
    # The point that `SAMPLE` draws for a seed: what lies between two pictures can be asked for.
    LATENTS: Signature(
        inputs={
            SEED: TensorSpec("int64", (None,)),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={LATENT: TensorSpec("float32", (None, "z_dim"))},
    ),
    # REST has no output filter; as PNG a picture is a tenth of its size as numbers.
    SYNTHESIZE_PNG: Signature(
        inputs={
            LATENT: TensorSpec("float32", (None, "z_dim")),
            CLASS_WEIGHTS: TensorSpec("float32", (None, "num_classes")),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={IMAGE_BYTES: TensorSpec("string", (None,))},
    ),
    EMBED: Signature(
        inputs={LABEL: TensorSpec("int32", (None,))},
        outputs={EMBEDDING: TensorSpec("float32", (None, "embedding_dim"))},
    ),
    DISCRIMINATE: Signature(
        inputs={
            IMAGES: TensorSpec("float32", _IMAGE),
            LABEL: TensorSpec("int32", (None,)),
        },
        outputs={LOGITS: TensorSpec("float32", (None,))},
    ),
}


def inputs_of(name: str, sizes: dict[str, int]) -> dict[str, TensorSpec]:
    """Returns a signature's inputs; a model without classes takes no mixture of them, and 0 for every label."""
    inputs = SIGNATURES[name].inputs
    return inputs if sizes["num_classes"] else {alias: spec for alias, spec in inputs.items() if alias != CLASS_WEIGHTS}


def resolve_shape(spec: TensorSpec, sizes: dict[str, int]) -> tuple[int | None, ...]:
    """Returns the shape with the model's sizes in the place of their names."""
    return tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
