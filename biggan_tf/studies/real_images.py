"""The real images that a trained model is compared with, and the features in which they are compared."""

from __future__ import annotations

from biggan_tf.evaluation.extractors.features import FeatureExtractor, load_extractor
from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.studied_model import StudiedModel

EXTRACTOR = "efficientnet_lite0"  # its weights are installed with the package's extra of that name


def folder(context: StudyContext, model: StudiedModel) -> str:
    """The folder of the real images: what the context names, or those of the model's run.

    Raises:
        StudyError: If neither is known.
    """
    data = context.data or model.loaded.data_path
    if not data:
        raise StudyError(
            f"This study compares {model.source} with real images, and weights do not say which. Received: no --data; "
            "name a folder of preprocessed images."
        )
    return data


def installed_extractor() -> FeatureExtractor:
    """The network that computes features.

    Raises:
        StudyError: If it is not installed.
    """
    try:
        return load_extractor(EXTRACTOR)
    except ValueError as error:
        raise StudyError(f"This study compares images by the features of {EXTRACTOR}: {error}") from error


def reference(context: StudyContext, model: StudiedModel) -> tuple[ReferenceStatistics, FeatureExtractor, int]:
    """The features of real images, the network that computes them, and how many images the budget allows.

    Raises:
        StudyError: If it is not known which images, or the extractor is not installed.
    """
    num_images = context.sized(32, 400)
    data = folder(context, model)
    extractor = installed_extractor()
    statistics = reference_statistics.build(data, extractor, num_images=num_images)
    return statistics, extractor, num_images
