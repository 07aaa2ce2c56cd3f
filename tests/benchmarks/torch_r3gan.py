"""The authors' PyTorch R3GAN for `r3gan_bench`; torch_worker.py imports it in that code's folder."""

from __future__ import annotations

import copy
import importlib


class Subject:
    """Both networks with classes, and the updates of their training loop, without augmentation."""

    def __init__(self, pixels, widths, cardinalities, blocks, batch, classes, device="cpu", half=False):
        self.torch = torch = importlib.import_module("torch")
        networks = importlib.import_module("training.networks")
        trainer = importlib.import_module("R3GAN.Trainer")
        torch.manual_seed(0)
        self.device = torch.device(device)
        # As their presets: all stages in bfloat16 but that at 4x4.
        stages = [-number for number in range(1, len(widths))] if half else []
        shared = {"ExpansionFactor": 2, "FP16Stages": stages, "c_dim": classes, "img_resolution": pixels}
        self.generator = networks.Generator(
            NoiseDimension=64, WidthPerStage=widths, CardinalityPerStage=cardinalities, BlocksPerStage=blocks,
            ConditionEmbeddingDimension=64, **shared,
        )  # fmt: skip
        # D's stages run the other way round, from the largest to 4x4.
        stages = list(range(len(widths) - 1)) if half else []
        self.discriminator = networks.Discriminator(
            WidthPerStage=widths[::-1], CardinalityPerStage=cardinalities[::-1], BlocksPerStage=blocks[::-1],
            ConditionEmbeddingDimension=widths[0], **{**shared, "FP16Stages": stages},
        )  # fmt: skip
        for network in (self.generator, self.discriminator):
            network.to(self.device).train().requires_grad_(False)
        self.average = copy.deepcopy(self.generator).eval()
        self.training = trainer.AdversarialTraining(self.generator, self.discriminator)
        self.optimizers = {
            network: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.0, 0.9), eps=1e-8)
            for network in (self.generator, self.discriminator)
        }
        self.batch, self.classes = batch, classes
        self.images = torch.rand(batch, 3, pixels, pixels, device=self.device) * 2 - 1
        self.work = {
            "G forward": self._forward,
            "D step": lambda: self._update(self.discriminator),
            "G step": lambda: self._update(self.generator),
            "step": self._step,
        }

    def _draw(self):
        """Latents, and classes as rows of zeros with a one."""
        labels = self.torch.randint(0, self.classes, (self.batch,), device=self.device)
        z = self.torch.randn(self.batch, 64, device=self.device)
        return z, self.torch.nn.functional.one_hot(labels, self.classes).float()

    def _forward(self):
        with self.torch.inference_mode():
            self.generator(*self._draw())

    def _update(self, network):
        optimizer = self.optimizers[network]
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        z, labels = self._draw()
        if network is self.generator:
            self.training.AccumulateGeneratorGradients(z, self.images, labels)
        else:
            self.training.AccumulateDiscriminatorGradients(z, self.images, labels, 0.05)
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                self.torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        optimizer.step()

    def _step(self):
        self._update(self.discriminator)
        self._update(self.generator)
        with self.torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.generator.parameters()):  # noqa: B905
                kept.copy_(new.lerp(kept, 0.999))
