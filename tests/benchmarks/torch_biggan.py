"""The PyTorch BigGAN of its author (ajbrock) for `biggan_bench`; torch_worker.py imports it in that code's folder.

Its `train_fns.py` needs torchvision, HDF5 and a GPU; what is timed does the same with its `BigGAN.py` and `losses.py`,
which need PyTorch alone.
"""

from __future__ import annotations

import copy
import importlib


class Subject:
    """Both networks with a shared embedding and a hierarchical latent, and the updates of its training function."""

    def __init__(
        self, pixels, channels, batch, classes, z_dim, attention, discriminator_steps, device="cpu", half=False
    ):
        self.torch = torch = importlib.import_module("torch")
        biggan, self.losses = importlib.import_module("BigGAN"), importlib.import_module("losses")
        torch.manual_seed(0)
        self.device, self.half = torch.device(device), half
        shared = {"resolution": pixels, "n_classes": classes, "SN_eps": 1e-6, "BN_eps": 1e-5, "adam_eps": 1e-6}
        relu = torch.nn.ReLU(inplace=True)
        # Its optimizers hold the parameters, which stay where they are when the network moves.
        self.generator = biggan.Generator(
            G_ch=channels, dim_z=z_dim, G_attn=attention, G_shared=True, shared_dim=128, hier=True, G_activation=relu,
            G_init="N02", **shared,
        ).to(self.device)  # fmt: skip
        self.discriminator = biggan.Discriminator(
            D_ch=channels, D_attn=attention, D_activation=relu, D_init="N02", **shared
        ).to(self.device)
        self.both = biggan.G_D(self.generator, self.discriminator)
        self.average = copy.deepcopy(self.generator)
        self.z = torch.randn(batch, self.generator.dim_z, device=self.device)
        self.labels = torch.randint(0, classes, (batch,), device=self.device)
        self.images = torch.rand(batch, 3, pixels, pixels, device=self.device) * 2 - 1
        self.discriminator_steps = discriminator_steps
        self.work = {
            "G forward": self._forward,
            "D step": self._discriminator_step,
            "G step": self._generator_step,
            "step": self._step,
        }

    def _autocast(self):
        return self.torch.autocast(self.device.type, self.torch.bfloat16, enabled=self.half)

    def _draw(self):
        """New latents and classes, as its distributions of both do."""
        self.z.normal_(0, 1)
        self.labels.random_(0, self.generator.n_classes)

    def _forward(self):
        self.generator.eval()
        with self.torch.no_grad(), self._autocast():
            self.generator(self.z, self.generator.shared(self.labels))
        self.generator.train()

    def _toggle(self, trained, other):
        for network, on in ((trained, True), (other, False)):
            for parameter in network.parameters():
                parameter.requires_grad = on

    def _discriminator_step(self):
        self._toggle(self.discriminator, self.generator)
        self.discriminator.optim.zero_grad()
        self._draw()
        with self._autocast():
            fake, real = self.both(self.z, self.labels, self.images, self.labels, train_G=False, split_D=False)
            loss_real, loss_fake = self.losses.discriminator_loss(fake, real)
        (loss_real + loss_fake).backward()
        self.discriminator.optim.step()

    def _generator_step(self):
        self._toggle(self.generator, self.discriminator)
        self.generator.optim.zero_grad()
        self._draw()
        with self._autocast():
            loss = self.losses.generator_loss(self.both(self.z, self.labels, train_G=True, split_D=False))
        loss.backward()
        self.generator.optim.step()

    def _step(self):
        for _ in range(self.discriminator_steps):
            self._discriminator_step()
        self._generator_step()
        # Its `utils.ema`: every tensor of the state, one by one.
        source, target = self.generator.state_dict(), self.average.state_dict()
        with self.torch.no_grad():
            for name in source:
                target[name].data.copy_(target[name].data * 0.9999 + source[name].data * (1 - 0.9999))
