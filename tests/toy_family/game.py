"""The relativistic pairing game with R1 (Huang et al. 2024, arXiv:2501.05441, section 2)."""

from keras import ops

from biggan_tf.contracts.game import Phase
from biggan_tf.games.penalties import with_squared_gradient


class RelativisticGame:
    """[D, G on new images]: each network wants its side's logits above the other's."""

    def __init__(self, config):
        self.config = config

    def phases(self):
        return [Phase("discriminator", self.discriminator_loss), Phase("generator", self.generator_loss)]

    def discriminator_loss(self, round_):
        (real, fake), squared = with_squared_gradient(round_, round_.real_batch(), round_.generate())
        # L_D = E[softplus(D(G(z)) - D(x))] + gamma / 2 E[|dD(x)/dx|^2]
        loss = ops.mean(ops.softplus(fake.logits - real.logits)) + self.config.gamma / 2 * ops.mean(squared)
        return loss, {"d_real": ops.mean(real.logits), "d_fake": ops.mean(fake.logits), "r1": ops.mean(squared)}

    def generator_loss(self, round_):
        fake, real = round_.discriminate(round_.generate(), round_.real_batch())
        # L_G = E[softplus(D(x) - D(G(z)))]
        return ops.mean(ops.softplus(real.logits - fake.logits)), {}
