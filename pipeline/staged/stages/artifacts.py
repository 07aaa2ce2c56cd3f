"""Names of files and folders in the artifacts, for the stage that writes them and the stages that read them.

They stand in a module of their own so that a stage that reads an artifact does not import the stage that wrote it: a
change there would count as a change of the reader's code.
"""

# TFX calls what is kept from training "eval".
SPLIT_FOLDERS = {"train": "Split-train", "validation": "Split-eval"}
SOURCE_STATISTICS = "source_statistics"  # ExampleGen's statistics of the images as they came, a folder for each split
STATISTICS_FILE, COUNTS_FILE, DAMAGE_FILE = "FeatureStats.pb", "counts.json", "damage.json"
SCHEMA_FILE = "schema.pbtxt"
SERVING_FOLDER = "Format-Serving"  # the SavedModel in Trainer's output `model`, as TFX names it
UUID_FILE = "assets.extra/mlmd_uuid"  # in that SavedModel: what tells it from every other


def split_folder(split: str) -> str:
    """Folder of a split in an artifact, e.g. "Split-eval" for "validation"."""
    return SPLIT_FOLDERS.get(split, f"Split-{split}")
