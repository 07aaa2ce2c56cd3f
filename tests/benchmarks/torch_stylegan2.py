"""Times NVIDIA's PyTorch code for `stylegan2_bench`, in a process of its own that is started in that code's folder.

It runs with an interpreter that has PyTorch, reads a line of JSON for each measurement and answers with one. It imports
nothing of this project, and nothing of theirs is part of this project.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time


class Subject:
    """Both networks of config F, and each phase as their training loop runs it, in float32 on the CPU."""

    def __init__(self, pixels, channel_base, batch):
        self.torch = torch = importlib.import_module("torch")
        networks = importlib.import_module("training.networks_stylegan2")
        loss = importlib.import_module("training.loss")
        torch.manual_seed(0)
        shared = {"c_dim": 0, "img_resolution": pixels, "img_channels": 3, "channel_base": channel_base}
        # As their train.py sets it: regular convolutions in training, grouped ones where gradients are not needed.
        self.generator = networks.Generator(z_dim=512, w_dim=512, fused_modconv_default="inference_only", **shared)
        self.discriminator = networks.Discriminator(**shared)
        self.loss = loss.StyleGAN2Loss(
            torch.device("cpu"), self.generator, self.discriminator, r1_gamma=10.0, style_mixing_prob=0.9, pl_weight=2.0
        )
        self.batch = batch
        self.z, self.c = torch.randn(batch, 512), torch.zeros(batch, 0)
        self.images = torch.rand(batch, 3, pixels, pixels) * 2 - 1
        for network in (self.generator, self.discriminator):
            network.train().requires_grad_(False)
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

    def parameters(self):
        return [sum(p.numel() for p in network.parameters()) for network in (self.generator, self.discriminator)]

    def profile(self, work):
        """Shares of the operations' own time, the largest first."""
        profiler = self.torch.profiler
        with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as trace:
            self.work[work]()
        own = {event.key: event.self_cpu_time_total for event in trace.key_averages()}
        total = sum(own.values())
        return {name: time / total for name, time in sorted(own.items(), key=lambda item: -item[1])[:8]}


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # their code prints
    sys.path.insert(0, os.getcwd())
    subject = None
    for line in sys.stdin:
        request = json.loads(line)
        if "size" in request:
            subject = Subject(*request["size"])
            answer = {"parameters": subject.parameters(), "version": subject.torch.__version__}
        elif "profile" in request:
            answer = subject.profile(request["profile"])
        else:
            calls, begin, used = 0, time.perf_counter(), time.process_time()
            while not calls or time.perf_counter() - begin < request["seconds"]:
                subject.work[request["work"]]()
                calls += 1
            answer = [(time.perf_counter() - begin) / calls, (time.process_time() - used) / calls]
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
