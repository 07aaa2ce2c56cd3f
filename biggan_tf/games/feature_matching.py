"""Feature matching (Salimans et al. 2016, arXiv:1606.03498, section 3.1): fakes are to have real images' features."""

from __future__ import annotations

from keras import ops

from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Features, Scalar


def feature_distance(real_features: Features, fake_features: Features) -> Scalar:
    """Computes the mean over features d of |E h_d(x) - E h_d(G(z))|, as StudioGAN does it; the paper squares it.

    Args:
        real_features: D's features of real images. They are constants to G.
        fake_features: D's features of fakes.
    """
    real, fake = (mean_over_replicas(ops.mean(widen(features), axis=0)) for features in (real_features, fake_features))
    return ops.mean(ops.abs(real - fake))
