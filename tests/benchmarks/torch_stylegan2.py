"""NVIDIA's PyTorch StyleGAN2 for `stylegan2_bench`; torch_worker.py imports it in that code's folder."""

from __future__ import annotations

import importlib


class Subject:
    """Both networks of config F without classes, and each phase as their training loop runs it, in float32."""

    def __init__(self, pixels, channel_base, batch, device="cpu", half=False):
        self.torch = torch = importlib.import_module("torch")
        networks = importlib.import_module("training.networks_stylegan2")
        loss = importlib.import_module("training.loss")
        torch.manual_seed(0)
        self.device = device = torch.device(device)
        shared = {"c_dim": 0, "img_resolution": pixels, "img_channels": 3, "channel_base": channel_base}
        if half:
            shared |= {"num_fp16_res": 4, "conv_clamp": 256}
        # As their train.py sets it: regular convolutions in training, grouped ones where gradients are not needed.
        self.generator = networks.Generator(z_dim=512, w_dim=512, fused_modconv_default="inference_only", **shared)
        self.discriminator = networks.Discriminator(**shared)
        for network in (self.generator, self.discriminator):
            network.to(device).train().requires_grad_(False)
        self.loss = loss.StyleGAN2Loss(
            device, self.generator, self.discriminator, r1_gamma=10.0, style_mixing_prob=0.9, pl_weight=2.0
        )
        self.batch = batch
        self.z, self.c = torch.randn(batch, 512, device=device), torch.zeros(batch, 0, device=device)
        self.images = torch.rand(batch, 3, pixels, pixels, device=device) * 2 - 1
        self.optimizers = {
            network: torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.0, 0.99), eps=1e-8)
            for network in (self.generator, self.discriminator)
        }
        self.work = {
            "G forward": self._forward,
            "G step": lambda: self._phase("Gmain", self.generator, 1),
            "path length step": lambda: self._phase("Greg", self.generator, 4),
            "D step": lambda: self._phase("Dmain", self.discriminator, 1),
            "R1 step": lambda: self._phase("Dreg", self.discriminator, 16),
        }

    def _forward(self):
        self.generator.eval()
        with self.torch.inference_mode():
            self.generator(self.z, self.c)
        self.generator.train()

    def _phase(self, name, network, interval):
        optimizer = self.optimizers[network]
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        self.loss.accumulate_gradients(name, self.images, self.c, self.z, self.c, gain=interval, cur_nimg=0)
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                self.torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        optimizer.step()
