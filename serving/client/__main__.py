"""Asks a served generator for pictures: `python -m serving.client --target=HOST:PORT --labels=207,207 --output=DIR`."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from typing import NoReturn

import grpc

from biggan_tf import __version__
from serving import signatures as s
from serving.client import ClientError, GeneratorClient


class _Parser(argparse.ArgumentParser):
    """Tells which flag a misspelt one may have meant."""

    def error(self, message: str) -> NoReturn:
        unknown = message.partition("unrecognized arguments: ")[2].partition(" ")[0].partition("=")[0]
        options = [option for action in self._actions for option in action.option_strings]
        near = difflib.get_close_matches(unknown, options, n=1) if unknown else []
        super().error(f"{message}; did you mean {near[0]}?" if near else message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m serving.client", description="Fetches images from a served generator.")
    parser.add_argument("--version", action="version", version=f"biggan_tf {__version__}")
    parser.add_argument(
        "--target",
        default="localhost:8500",
        help="address of the server: HOST:PORT, or unix:PATH of a socket (default: %(default)s)",
    )
    parser.add_argument(
        "--model", default=s.MODEL_NAME, help="name of the model, as the server was given it (default: %(default)s)"
    )
    parser.add_argument(
        "--labels",
        default="0",
        help="class of each image, with commas: its index, synset or name, e.g. 207,n02099601 (default: 0)",
    )
    parser.add_argument(
        "--seeds",
        default="",
        help="seed of each image, with commas, e.g. 1,2; the same class, seed and truncation give the same image "
        "(default: 0,1,2 ...)",
    )
    parser.add_argument(
        "--truncation",
        type=float,
        help="how far latents may be from 0, from 0.02 to 1: the smaller, the better and the more alike are images "
        "(default: 0.5). Of a model with styles it is psi, by which they move towards their mean, from 0 to 2 "
        "(default: 0.7)",
    )
    parser.add_argument(
        "--label_map",
        help="path of assets/labels.json of the export; only TensorFlow Serving, which does not tell the names of "
        "classes, makes it needed (default: the server is asked)",
    )
    parser.add_argument(
        "--ca", help="PEM file of the authority that signed the server's certificate; with it the connection uses TLS"
    )
    parser.add_argument(
        "--token_file",
        help="file with the token that the server asks for, on its first line; without --ca it is sent in the clear",
    )
    parser.add_argument(
        "--timeout_s",
        type=float,
        default=60.0,
        help="seconds after which the request with all its retries is given up (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        default="samples",
        help="folder that the PNG files go to, named CLASS-SEED.png (default: %(default)s)",
    )
    return parser


def fetch(arguments: list[str]) -> int:
    """Fetches the pictures and returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        if ":/" in flags.output:  # else a folder called s3: would be created for an s3://BUCKET
            raise ValueError(f"--output must be a local folder. Received: {flags.output}")
        labels = flags.labels.split(",")
        seeds = [int(seed) for seed in flags.seeds.split(",")] if flags.seeds else list(range(len(labels)))
        credentials = None
        if flags.ca:
            with open(flags.ca, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
        token = None
        if flags.token_file:
            with open(flags.token_file, encoding="ascii") as file:
                token = file.readline().strip()
        with GeneratorClient(
            flags.target,
            flags.model,
            labels=flags.label_map,
            credentials=credentials,
            timeout_s=flags.timeout_s,
            token=token,
        ) as client:
            pictures = client.sample_png(labels, seeds, flags.truncation)
        os.makedirs(flags.output, exist_ok=True)
        for label, seed, picture in zip(labels, seeds, pictures, strict=True):
            path = os.path.join(flags.output, f"{label.replace(os.sep, '_')}-{seed}.png")
            # Not through biggan_tf.files: the folder is local, and the client does without TensorFlow.
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
