"""The settings of the preprocessing: one list, from which the command's flags and the staged pipeline's section derive.

Nothing here says which runner does the work or with how many workers, for these do not change the output.
"""

# Without `from __future__ import annotations`: ml_collections reads the types of the fields, and needs them as classes.
import dataclasses

from biggan_tf.config.section import Section
from biggan_tf.config.settings import setting
from biggan_tf.data import records
from pipeline.errors import UsageError
from pipeline.preprocessing import crops

MAX_IMAGE_BYTES = 256 << 20  # the default; the largest files of ImageNet have 16 MB


@dataclasses.dataclass(frozen=True)
class Allowances:
    """What the check of the input accepts although it is usually a mistake. Each is a flag `--allow_NAME`."""

    single_class: bool = setting(False, "Accept an input of a single class.")
    empty_classes: bool = setting(False, "Accept classes that are named and have no images.")
    class_in_one_split: bool = setting(False, "Accept classes that train/ or validation/ lacks.")
    label_mismatch: bool = setting(False, "Accept classes that differ from those in --labels.")


@dataclasses.dataclass
class ExamplesConfig(Section):
    """Where the images are and how examples are made of them.

    The fields are the flags of `pipeline.preprocess`, and the section `examples` of a pipeline's configuration.
    """

    source: str = setting(
        "folders",
        "Layout of the input: imagenet_tars, folders, imagenet_to_gcs, kaggle, table, arrow, parquet, "
        "webdataset, zip, shapes or tfds:NAME[:VERSION].",
    )
    input: str = setting("", "Folder, archive folder or table to read; local or gs://, s3://, hdfs://.")
    validation_labels: str = setting(
        "", "File with the synset of each validation image, a line each, in the order of the file names."
    )
    tfds_data_dir: str = setting("", "Folder of prepared datasets, for --source=tfds:NAME.")
    num_shapes: int = setting(10_000, "Images that --source=shapes draws in all.")
    labels: str = setting(
        "",
        "File whose lines are a class name each, or begin with one that has no space; the input must have these "
        "classes.",
    )
    # Named as the flag and the manifest's field are; everywhere else a crop and resize is called a crop.
    recipe: str = setting("biggan", "How images are cropped and resized: biggan, adm, lanczos or compare_gan.")
    image_format: str = setting("png", "How images are stored: png, raw and webp keep every pixel, jpeg does not.")
    seed: int = setting(0, "Seed of the images' order and of --source=shapes.")
    num_shards: int = setting(0, "Files of the largest split; 0: files of about 128 MiB, and several for small data.")
    max_pixels: int = setting(100_000_000, "Images of more pixels are rejected before they are decoded.")
    max_image_bytes: int = setting(
        MAX_IMAGE_BYTES, "Images whose file has more bytes are rejected before they are read."
    )
    max_rejected_fraction: float = setting(
        0.01,
        "The job fails if a larger share of the images, and more than one, is rejected; 0: if any is.",
    )
    allow: tuple[str, ...] = ()  # names of `Allowances`, e.g. ("single_class",)

    def allowances(self) -> Allowances:
        """The allowances that `allow` names."""
        return Allowances(**dict.fromkeys(self.allow, True))


@dataclasses.dataclass
class ValidatorConfig(Section):
    """What the statistics of the examples are compared with."""

    schema: str = setting("", "A schema.pbtxt that the examples must satisfy; empty: one is inferred from the labels.")
    max_leaked_fraction: float = setting(
        0.001, "Validation fails if a larger share of the images is in several splits, e.g. 0.001."
    )

    def problem(self) -> str:
        """What cannot be, as a sentence that begins with the setting's name; "": nothing."""
        if 0 <= self.max_leaked_fraction <= 1:  # NaN would let any data pass
            return ""
        return f"max_leaked_fraction must be in [0, 1]. Received: {self.max_leaked_fraction}."


# Of the settings those that decide what a shard holds, beside the input and the resolution: the manifest keeps them.
STORED = ("recipe", "image_format", "seed", "num_shards", "max_pixels", "max_image_bytes")


@dataclasses.dataclass
class Settings(ExamplesConfig):
    """The settings of one run of the preprocessing.

    Attributes:
        resolutions: Heights, which are also the widths, of the images to write, in pixels.
    """

    resolutions: tuple[int, ...] = (128,)

    def validate(self) -> None:
        """Checks every setting but the source, which is checked when it is opened.

        Raises:
            UsageError: With the first setting that cannot be.
        """
        if not self.resolutions or min(self.resolutions) < 4 or max(self.resolutions) > 4096:
            raise UsageError(f"--resolutions must be between 4 and 4096. Received: {list(self.resolutions)}.")
        if len(set(self.resolutions)) != len(self.resolutions):
            raise UsageError(f"--resolutions must differ. Received: {list(self.resolutions)}.")
        crops.make_resizer(self.recipe)
        if self.image_format not in records.FORMATS:
            raise UsageError(
                f"--image_format must be one of {', '.join(records.FORMATS)}. Received: {self.image_format!r}."
            )
        if not 0 <= self.num_shards <= 99_999:
            raise UsageError(f"--num_shards must be between 0 and 99999. Received: {self.num_shards}.")
        if self.max_pixels < 1:
            raise UsageError(f"--max_pixels must be positive. Received: {self.max_pixels}.")
        if self.max_image_bytes < 1:
            raise UsageError(f"--max_image_bytes must be positive. Received: {self.max_image_bytes}.")
        if not 0 <= self.max_rejected_fraction <= 1:
            raise UsageError(f"--max_rejected_fraction must be in [0, 1]. Received: {self.max_rejected_fraction}.")
