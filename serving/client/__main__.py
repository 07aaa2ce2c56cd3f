"""Asks a served generator for pictures: `python -m serving.client --target=HOST:PORT --labels=207,207 --output=DIR`."""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import argparse
import os
import sys

from biggan_tf import environment

environment.prepare()

import grpc

from serving import signatures as s
from serving.client import ClientError, GeneratorClient


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m serving.client", description="Fetches images from a served generator.")
    parser.add_argument("--target", default="localhost:8500", help="HOST:PORT or unix:PATH (default: %(default)s)")
    parser.add_argument("--model", default=s.MODEL_NAME, help="the model's name (default: %(default)s)")
    parser.add_argument("--labels", default="0", help="classes by index, synset or name, with commas (default: 0)")
    parser.add_argument("--seeds", default="", help="one for each label, with commas (default: 0, 1, 2 ...)")
    parser.add_argument("--truncation", type=float, default=0.5, help="in [0.02, 1] (default: %(default)s)")
    parser.add_argument("--label_map", help="labels.json of the export, for synsets and names")
    parser.add_argument("--ca", help="PEM file of the authority that signed the server's certificate: use TLS")
    parser.add_argument("--timeout_s", type=float, default=60.0, help="for everything (default: %(default)s)")
    parser.add_argument("--output", default="samples", help="folder for the PNG files (default: %(default)s)")
    return parser


def fetch(arguments: list[str]) -> int:
    """Fetches the pictures and returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        labels = flags.labels.split(",")
        seeds = [int(seed) for seed in flags.seeds.split(",")] if flags.seeds else list(range(len(labels)))
        credentials = None
        if flags.ca:
            with open(flags.ca, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
        with GeneratorClient(
            flags.target, flags.model, labels=flags.label_map, credentials=credentials, timeout_s=flags.timeout_s
        ) as client:
            pictures = client.sample_png(labels, seeds, flags.truncation)
        os.makedirs(flags.output, exist_ok=True)
        for label, seed, picture in zip(labels, seeds, pictures, strict=True):
            path = os.path.join(flags.output, f"{label.replace(os.sep, '_')}-{seed}.png")
            with open(f"{path}.new", "wb") as file:
                file.write(picture)
            os.replace(f"{path}.new", path)
            sys.stdout.write(f"{path}\n")
    except (ClientError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run() -> None:
    """Console entry point."""
    sys.exit(fetch(sys.argv[1:]))


if __name__ == "__main__":
    run()
