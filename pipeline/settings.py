"""What decides the content of the output, and nothing else: not the runner, not the number of workers."""

from __future__ import annotations

import dataclasses

from biggan_tf.data import records
from pipeline import recipes
from pipeline.errors import PipelineError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of one run.

    Attributes:
        resolutions: Heights and widths to make.
        recipe: Crop and resize.
        image_format: How images are stored.
        seed: Of the global shuffle.
        num_shards: Of the largest split; 0: from the size.
        max_pixels: Larger images are refused.
        max_rejected_fraction: More bad images than this fail the job.
    """

    resolutions: tuple[int, ...] = (128,)
    recipe: str = "biggan"
    image_format: str = "png"
    seed: int = 0
    num_shards: int = 0
    max_pixels: int = 100_000_000
    max_rejected_fraction: float = 0.01

    def validate(self) -> None:
        """Raises PipelineError with the first setting that cannot be."""
        if not self.resolutions or min(self.resolutions) < 4 or max(self.resolutions) > 4096:
            raise PipelineError(f"--resolutions must be between 4 and 4096. Received: {list(self.resolutions)}.")
        if len(set(self.resolutions)) != len(self.resolutions):
            raise PipelineError(f"--resolutions must differ. Received: {list(self.resolutions)}.")
        recipes.make_resizer(self.recipe)
        if self.image_format not in records.FORMATS:
            raise PipelineError(
                f"--image_format must be one of {', '.join(records.FORMATS)}. Received: {self.image_format!r}."
            )
        if not 0 <= self.num_shards <= 99_999:
            raise PipelineError(f"--num_shards must be between 0 and 99999. Received: {self.num_shards}.")
        if self.max_pixels < 1:
            raise PipelineError(f"--max_pixels must be positive. Received: {self.max_pixels}.")
        if not 0 <= self.max_rejected_fraction <= 1:
            raise PipelineError(f"--max_rejected_fraction must be in [0, 1]. Received: {self.max_rejected_fraction}.")
