"""How a run is exported: one list, from which the command's flags and the staged pipeline's section derive.

It imports nothing heavy, so that a pipeline's configuration is read without TensorFlow.
"""

# Without `from __future__ import annotations`: ml_collections reads the types of the fields, and needs them as classes.
import dataclasses
from collections.abc import Iterator

from biggan_tf.config import settings
from biggan_tf.config.section import Section
from biggan_tf.config.settings import setting
from biggan_tf.config.truncation import SERVED_TRUNCATIONS, STANDING_BATCH_SIZE, STANDING_PASSES
from serving import signatures as s


@dataclasses.dataclass
class ExportConfig(Section):
    """How a run is exported.

    The fields are flags of `python -m serving.export`, and the section `export` of a pipeline's configuration.
    """

    precision: str = setting(
        "float32",
        "Type of the computations that are served: float32, or bfloat16, which is faster where the processor computes "
        "with it and moves values of images from -1 to 1 by up to 0.1.",
        choices=("float32", "bfloat16"),
    )
    rows: str = setting(
        s.EXACT,
        "exact: a picture has the same bits in any batch, on any processor, because each row is computed by itself. "
        "fast: a batch is computed together, which is faster where pictures are small; a row's values then depend on "
        "its batch, by at most 1e-5 (bfloat16: 0.1) in images from -1 to 1.",
        choices=(s.EXACT, s.FAST),
    )
    truncations: tuple[float, ...] = setting(
        SERVED_TRUNCATIONS,
        "Truncations that standing statistics are measured for, in even steps from 0 to 1, e.g. 0,0.5,1; between two "
        "of them the statistics are interpolated.",
    )
    passes: int = setting(
        STANDING_PASSES, "Forward passes that are averaged for each truncation; the paper takes 100.", at_least=1
    )
    batch_size: int = setting(
        STANDING_BATCH_SIZE, "Images in each of these passes, e.g. 16 where memory is short.", at_least=1
    )
    discriminator: bool = setting(
        False, "Export the signature discriminate as well: the discriminator's logits of images."
    )

    def problems(self) -> Iterator[str]:
        """What is wrong with these values, a sentence each."""
        yield from settings.problems(self, "export")
