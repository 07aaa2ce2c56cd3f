"""Times BigGAN, StyleGAN2 and R3GAN on Keras's JAX backend: G's forward pass, every update, and a step of the training.

    KERAS_BACKEND=jax python -m tests.benchmarks.jax_steps

It is meant for a GPU, whose name, and whose rate of bfloat16 matrix products, it writes beside each figure. `--tiny`
tries the script itself, on any processor. It needs neither TensorFlow nor data, and is no part of `make bench`, which
runs on TensorFlow; `make bench-page` finds its table, out/bench/jax.json, with the others. Public PyTorch codes take
turns with it where BIGGAN_PYTORCH, NVIDIA_STYLEGAN or R3GAN_PYTORCH name their folders, and TORCH_PYTHON an interpreter
with PyTorch; they run where JAX runs, on the GPU or the processor.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks import jax_networks, side_by_side

OUTPUT = pathlib.Path("out/bench/jax.json")
TITLE = (
    "On the JAX backend: G's forward pass, the updates and a step of the training (BigGAN: two D steps, a G step; "
    "StyleGAN2: path lengths every 4th and R1 every 16th; R3GAN: a D step, a G step; each with the moving average); "
    f"{side_by_side.COLUMNS}; share = of the device's rate of bfloat16 matrix products, by XLA's count of operations"
)
# What builds our networks, the module of theirs, and what names its folder.
FAMILIES: dict[str, tuple[Callable[..., jax_networks.Networks], str, str]] = {
    "biggan": (jax_networks.BigGANNetworks, "torch_biggan", "BIGGAN_PYTORCH"),
    "stylegan2": (jax_networks.StyleGAN2Networks, "torch_stylegan2", "NVIDIA_STYLEGAN"),
    "r3gan": (jax_networks.R3GANNetworks, "torch_r3gan", "R3GAN_PYTORCH"),
}
# As `Networks` and torch_worker.py's modules are called, but for the precision. The sizes are those of the recipes.
SIZES: dict[str, dict[str, Any]] = {
    "biggan": {
        "pixels": 128, "channels": 96, "batch": 64, "classes": 1000, "z_dim": 120, "attention": "64",
        "discriminator_steps": 2,
    },
    "stylegan2": {"pixels": 256, "channel_base": 16384, "batch": 32},
    "r3gan": {
        "pixels": 32, "widths": [768] * 4, "cardinalities": [96] * 4, "blocks": [2] * 4, "batch": 128, "classes": 10,
    },
}  # fmt: skip
TINY: dict[str, dict[str, Any]] = {
    "biggan": {
        "pixels": 32, "channels": 4, "batch": 2, "classes": 3, "z_dim": 16, "attention": "0", "discriminator_steps": 2,
    },
    "stylegan2": {"pixels": 8, "channel_base": 64, "batch": 4},
    "r3gan": {"pixels": 8, "widths": [8, 8], "cardinalities": [4, 4], "blocks": [1, 1], "batch": 2, "classes": 3},
}  # fmt: skip


def measure(families: list[str], policies: list[str], tiny: bool) -> Iterator[dict[str, Any]]:
    """A row for each family, precision and kind of work.

    Args:
        families: Names in `FAMILIES`.
        policies: Dtype policies.
        tiny: Whether small networks are taken.
    """
    limit = jax_networks.product_rate(size=256 if tiny else 8192)
    on_gpu = jax_networks.on_gpu()
    for family in families:
        build, script, variable = FAMILIES[family]
        sizes = (TINY if tiny else SIZES)[family]
        theirs = side_by_side.Theirs.from_environment(script, variable, on_gpu)
        for policy in policies:
            ours = build(policy=policy, limit=limit, **sizes)
            if theirs is not None:
                theirs.build(
                    ours.parameters(), **sizes, device="cuda" if on_gpu else "cpu", half=policy != "float32"
                )  # fmt: skip
            about = {"family": family, "pixels": sizes["pixels"], "batch": sizes["batch"], "policy": policy}
            yield from (row for row, _ in side_by_side.rows(ours, theirs, about))
        if theirs is not None:
            theirs.close()


def machine() -> dict[str, str]:
    """The device, the versions and the day, as the files of the other benchmarks have them."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("jax", "keras"))
    return {
        "processor": jax_networks.device_name(),
        "versions": f"Python {platform.python_version()}, {packages}",
        "date": datetime.date.today().isoformat(),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="family", help=f"{', '.join(FAMILIES)}; none: all.")
    parser.add_argument("--policies", default="mixed_bfloat16,float32", help="Dtype policies, with commas between.")
    parser.add_argument("--tiny", action="store_true", help="Small networks and short measurements.")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="The file that is written.")
    options = parser.parse_args(arguments)
    if unknown := set(options.families) - set(FAMILIES):
        parser.error(f"families are {', '.join(FAMILIES)}. Received: {', '.join(sorted(unknown))}")
    if os.environ.get("KERAS_BACKEND") != "jax":
        parser.error(f"KERAS_BACKEND must be jax. Received: {os.environ.get('KERAS_BACKEND', 'nothing')}")
    if options.tiny:
        side_by_side.SECONDS, side_by_side.ROUNDS = 0.01, 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    begin, described, rows = time.monotonic(), {"title": TITLE, **machine()}, []
    for row in measure(options.families or list(FAMILIES), options.policies.split(","), options.tiny):
        rows.append(row)
        # What was measured stays if the rest is stopped.
        options.output.write_text(json.dumps({**described, "rows": rows}, indent=1) + "\n", encoding="utf-8")
        shown = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{value}" for name, value in row.items()
        )
        sys.stdout.write(f"{time.monotonic() - begin:5.0f} s: {shown}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
