"""The studies by name. A study is a module with a `STUDY`, and one line here."""

from __future__ import annotations

import importlib

from biggan_tf.config import checks
from biggan_tf.studies.contract import Study

# In the order of the page. Strings, so that one study can run without the imports of the others.
STUDIES: dict[str, str] = {
    "prior_tails": "biggan_tf.studies.prior_tails",
    "truncation_variance": "biggan_tf.studies.truncation_variance",
    "truncation_precision_recall": "biggan_tf.studies.truncation_precision_recall",
    "distance_parts": "biggan_tf.studies.distance_parts",
    "class_leakage": "biggan_tf.studies.class_leakage",
    "label_noise": "biggan_tf.studies.label_noise",
    "isometry": "biggan_tf.studies.isometry",
    "average_decay": "biggan_tf.studies.average_decay",
    "loss_scale": "biggan_tf.studies.loss_scale",
    "dynamics": "biggan_tf.studies.dynamics",
    "generator_spectral_norm": "biggan_tf.studies.generator_spectral_norm",
    "gradient_flow": "biggan_tf.studies.gradient_flow",
    "mapping_network": "biggan_tf.studies.mapping_network",
    "demodulation": "biggan_tf.studies.demodulation",
    "noise_texture": "biggan_tf.studies.noise_texture",
    "aliasing": "biggan_tf.studies.aliasing",
    "critic_transport": "biggan_tf.studies.critic_transport",
    "critic_batch_norm": "biggan_tf.studies.critic_batch_norm",
    "conditional_lipschitz": "biggan_tf.studies.conditional_lipschitz",
    "batch_variance": "biggan_tf.studies.batch_variance",
    "update_ratio": "biggan_tf.studies.update_ratio",
    "hard_negatives": "biggan_tf.studies.hard_negatives",
    "latent_information": "biggan_tf.studies.latent_information",
    "classifier_help": "biggan_tf.studies.classifier_help",
    "perceptual_collapse": "biggan_tf.studies.perceptual_collapse",
    "search_proxies": "biggan_tf.studies.search_proxies",
}


def load(name: str) -> Study:
    """The study of a name.

    Raises:
        ValueError: If there is none; the message names those that are spelt nearly so.
    """
    if name not in STUDIES:
        raise ValueError(f"NAME must be a study. Received: {name!r}; {checks.nearest(name, list(STUDIES))}")
    study: Study = importlib.import_module(STUDIES[name]).STUDY
    return study
