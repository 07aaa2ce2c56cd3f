"""A search among the smallest networks."""

from biggan_tf.config import EvaluationConfig
from biggan_tf.config.comparison import ComparedDataConfig
from biggan_tf.config.discriminator_norms import LayerNormConfig, SpectralConfig
from biggan_tf.config.search import LimitsConfig, SearchChoice, SearchConfig, SearchOption, SearchRoundConfig
from tests.biggan_tf.training import tiny


def search(data="data", **fields):
    values = {
        "base": tiny.config(),
        "name": "A <toy> search",
        "space": (
            SearchChoice("width", tuple(SearchOption(str(n), {"model.generator_channels": n}) for n in (2, 3, 4, 40))),
            SearchChoice(
                "norm",
                (
                    SearchOption("spectral", {"model.discriminator_norm": SpectralConfig()}),
                    SearchOption("layer", {"model.discriminator_norm": LayerNormConfig()}),
                ),
            ),
            SearchChoice(
                "attention", (SearchOption("none"), SearchOption("wrong", {"model.generator_attention": (5,)}))
            ),
        ),
        "limits": LimitsConfig(operations=1.5, least_operations=0.1),
        "candidates": 6,
        "proxies": ("latent_diversity", "gradient_balance"),
        "proxy_images": 4,
        "rounds": (SearchRoundConfig(3, 80), SearchRoundConfig(1, 160, (0, 1))),
        "data": ComparedDataConfig(str(data)),
        "evaluation": EvaluationConfig(metrics=("fd",), num_samples=16, num_real=16),
    }
    return SearchConfig(**{**values, **fields})
