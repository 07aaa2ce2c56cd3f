"""R3GAN's game (Huang et al. 2024, arXiv:2501.05441, section 2): relativistic pairs with R1 and R2."""

from __future__ import annotations

from biggan_tf.contracts.game import Round
from biggan_tf.games.config import R3GANGameConfig
from biggan_tf.games.relativistic import RelativisticGame
from biggan_tf.ops.cosine_schedule import cosine_schedule
from biggan_tf.types import Scalar


class R3GANGame(RelativisticGame):
    """[D, G on new real images], where the weight of both penalties falls along half a cosine of images seen.

    L_D = E[softplus(-(D(x) - D(G(z))))] + gamma / 2 E[|dD(x)/dx|^2 + |dD(G(z))/dG(z)|^2]. G's update comes after D's,
    and its schedules count the images that D has just been trained on.

    Args:
        config: Its numbers.
    """

    config: R3GANGameConfig

    def __init__(self, config: R3GANGameConfig):
        super().__init__(config)

    def gradient_weights(self, round_: Round) -> tuple[Scalar | float, Scalar | float]:
        config = self.config
        gamma: Scalar | float = config.gamma
        if config.final_gamma is not None:
            gamma = cosine_schedule(config.gamma, config.final_gamma, round_.images_seen, config.schedule_images)
        return gamma, gamma
