"""Names, types and shapes of the exported signatures, for the export, the server and the client.

It imports nothing heavy, so that a client starts in a fraction of a second. The first axis of every input and output is
the batch. In a shape `None` stands for a size that the request chooses, and a name for one that the model fixes.
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
# Of families with a space of styles alone, such as StyleGAN.
MAP = "map"
SYNTHESIZE_STYLES = "synthesize_styles"
SYNTHESIZE_STYLES_PNG = "synthesize_styles_png"
STYLE_SIGNATURES = (MAP, SYNTHESIZE_STYLES, SYNTHESIZE_STYLES_PNG)
# Of generators that enlarge pictures, which have no other signature.
UPSCALE = "upscale"
# Of all pictures of a request together: an answer is 16 times as large, and is held whole while it is encoded.
MAX_PICTURE_PIXELS = 2**22

# The page in the browser calls these, one row at a time, where a first answer may be slow; so an export carries no
# warm-up requests for them, which would make every start of a server longer.
NOT_WARMED_UP = (SYNTHESIZE_PNG, SYNTHESIZE_STYLES_PNG)

LABEL = "label"
SEED = "seed"
TRUNCATION = "truncation"
LATENT = "z"
CLASS_WEIGHTS = "y"
STYLES = "w"
CUTOFF = "cutoff"
# TensorFlow Serving base64-encodes a binary output over REST only if its alias ends in `_bytes`.
IMAGE_BYTES = "image_bytes"
IMAGES = "images"
EMBEDDING = "embedding"
LOGITS = "logits"
# Every signature says of each row whether its inputs were within bounds and its outputs can be used. Other rows are
# zeros, or a black PNG. No row makes another one fail, nor changes its bits.
VALID = "valid"

# Where latents are truncated: below 0.02 all pictures of a class look the same. A family that truncates its styles has
# other bounds (biggan_tf/config/truncation.py), which an export carries in its list of limits.
MIN_TRUNCATION = 0.02
MAX_TRUNCATION = 1.0
# Where the page in the browser begins, and what a client takes that names no truncation: of latents, and of styles.
DEFAULT_TRUNCATION, DEFAULT_PSI = 0.5, 0.7
# Two cutoffs: all layers, as any number from theirs on says, and as many as `SAMPLE` truncates.
ALL_LAYERS, OWN_CUTOFF = 2**31 - 1, -1

# How an export computes the rows of a batch (see biggan_tf/contracts/inference.py, which has the same words), and the
# field of its provenance that says so.
EXACT, FAST = "exact", "fast"
ROWS = "rows"

LABELS_ASSET = "labels.json"
# The metadata field by which a client asks our server for that file; TensorFlow Serving has "signature_def" alone.
CLASS_LABELS_FIELD = "biggan_tf/labels"
PROVENANCE_ASSET = "provenance.json"
EXPORTED = "exported"  # the field of that file with the date and time of the export, as ISO 8601 writes them
LIMITS_ASSET = "input_limits.json"  # see serving/input_limits.py
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
DEFAULT_BATCH_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of one input or output.

    Attributes:
        dtype: Name of the type, e.g. "float32".
        shape: The size of each axis: a number, the name of a size of the model such as "z_dim", or None for a size that
            the request chooses.
    """

    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Signature:
    """One exported function: its inputs and its outputs, by their names in requests and answers."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


_IMAGE = (None, "resolution", "resolution", 3)
_VALID = TensorSpec("bool", (None,))

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
            VALID: _VALID,
        },
    ),
    SYNTHESIZE: Signature(
        inputs={
            LATENT: TensorSpec("float32", (None, "z_dim")),
            CLASS_WEIGHTS: TensorSpec("float32", (None, "num_classes")),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={IMAGES: TensorSpec("float32", _IMAGE), VALID: _VALID},
    ),
    # The latents that `SAMPLE` draws for a seed. With them a client can ask `SYNTHESIZE` for images between two seeds.
    LATENTS: Signature(
        inputs={
            SEED: TensorSpec("int64", (None,)),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={LATENT: TensorSpec("float32", (None, "z_dim")), VALID: _VALID},
    ),
    # For REST, which cannot leave outputs out: a PNG is a tenth of the size of the same image as JSON numbers.
    SYNTHESIZE_PNG: Signature(
        inputs={
            LATENT: TensorSpec("float32", (None, "z_dim")),
            CLASS_WEIGHTS: TensorSpec("float32", (None, "num_classes")),
            TRUNCATION: TensorSpec("float32", (None,)),
        },
        outputs={IMAGE_BYTES: TensorSpec("string", (None,)), VALID: _VALID},
    ),
    EMBED: Signature(
        inputs={LABEL: TensorSpec("int32", (None,))},
        outputs={EMBEDDING: TensorSpec("float32", (None, "embedding_dim")), VALID: _VALID},
    ),
    # The styles of a latent, truncated by psi in the first `cutoff` layers. There is one for each layer, so that what
    # `SYNTHESIZE_STYLES` takes can differ between layers: by the cutoff, by mixing two pictures, or by a search for the
    # styles of a photograph. One style for all layers is that style repeated.
    MAP: Signature(
        inputs={
            LATENT: TensorSpec("float32", (None, "z_dim")),
            CLASS_WEIGHTS: TensorSpec("float32", (None, "num_classes")),
            TRUNCATION: TensorSpec("float32", (None,)),
            CUTOFF: TensorSpec("int32", (None,)),
        },
        outputs={STYLES: TensorSpec("float32", (None, "num_styles", "w_dim")), VALID: _VALID},
    ),
    # The seed decides the noise alone, in the same way as that of `SAMPLE` does.
    SYNTHESIZE_STYLES: Signature(
        inputs={
            STYLES: TensorSpec("float32", (None, "num_styles", "w_dim")),
            SEED: TensorSpec("int64", (None,)),
        },
        outputs={IMAGES: TensorSpec("float32", _IMAGE), VALID: _VALID},
    ),
    SYNTHESIZE_STYLES_PNG: Signature(
        inputs={
            STYLES: TensorSpec("float32", (None, "num_styles", "w_dim")),
            SEED: TensorSpec("int64", (None,)),
        },
        outputs={IMAGE_BYTES: TensorSpec("string", (None,)), VALID: _VALID},
    ),
    DISCRIMINATE: Signature(
        inputs={
            IMAGES: TensorSpec("float32", _IMAGE),
            LABEL: TensorSpec("int32", (None,)),
        },
        outputs={LOGITS: TensorSpec("float32", (None,)), VALID: _VALID},
    ),
    # Image files in, PNG files out. The seed decides detail that the picture has not, in models that have noise.
    UPSCALE: Signature(
        inputs={IMAGE_BYTES: TensorSpec("string", (None,)), SEED: TensorSpec("int64", (None,))},
        outputs={IMAGE_BYTES: TensorSpec("string", (None,)), VALID: _VALID},
    ),
}


def inputs_of(name: str, sizes: dict[str, int]) -> dict[str, TensorSpec]:
    """The inputs of a signature.

    A model without classes takes no mixture of classes. Where it takes labels, each must be 0.

    Args:
        name: The signature, a key of `SIGNATURES`.
        sizes: The sizes of the model by the names that shapes use: resolution, z_dim, num_classes, embedding_dim, and
            num_styles and w_dim where there are styles.
    """
    inputs = SIGNATURES[name].inputs
    return inputs if sizes["num_classes"] else {alias: spec for alias, spec in inputs.items() if alias != CLASS_WEIGHTS}


def resolve_shape(spec: TensorSpec, sizes: dict[str, int]) -> tuple[int | None, ...]:
    """A shape with the numbers of a model in the place of the names of its sizes (`sizes` as for `inputs_of`)."""
    return tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
