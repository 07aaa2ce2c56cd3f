"""Small networks as a study sees a run's, without a run."""

import keras

from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.studied_model import StudiedModel
from tests.biggan_tf.training import tiny


def studied(config=None, **origin):
    """The networks of a configuration at their initial weights, as if they had been loaded.

    Args:
        config: Of the networks; None: the tiny BigGAN's.
        **origin: What a `LoadedGenerator` tells, such as `data_path`.
    """
    config = config or tiny.config().model
    keras.utils.set_random_seed(0)
    model = StudiedModel(weights="networks of a test")
    # Cached properties: what they would load is put in their place.
    vars(model)["loaded"] = LoadedGenerator(config.generator(), **origin)
    vars(model)["discriminator"] = config.discriminator()
    vars(model)["raw"] = LoadedGenerator(config.generator(), **origin)
    return model


def context_of(model, **numbers):
    return StudyContext(budget="small", model=model, **numbers)
