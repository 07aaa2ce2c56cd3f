"""The relativistic average game (Jolicoeur-Martineau 2018, arXiv:1807.00734, equation 8)."""

from __future__ import annotations

from keras import ops

from biggan_tf.games.relativistic import RelativisticGame
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Logits, Scalar


class RelativisticAverageGame(RelativisticGame):
    """D is to find each real image more real than fakes are on average, and each fake less real than real images."""

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        real, fake = widen(real_logits), widen(fake_logits)
        # The averages are over the micro-batch on all replicas.
        mean_real, mean_fake = mean_over_replicas(ops.mean(real)), mean_over_replicas(ops.mean(fake))
        # L_D = E[softplus(-(D(x) - E D(G(z))))] + E[softplus(D(G(z)) - E D(x))]
        return ops.mean(ops.softplus(mean_fake - real)) + ops.mean(ops.softplus(fake - mean_real))
