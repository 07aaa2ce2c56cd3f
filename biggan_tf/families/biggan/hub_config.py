"""Reads the config.json of a folder that holds a generator of TF-Hub.

Anyone can have written the file. Each value is checked before another is computed from it, and each error is one line
that names the key, what must hold and what came.
"""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import TypeAlias

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.tables import BOTTOM_SIZE
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_MAX_FILE_BYTES = 1 << 20  # The published files have one kilobyte.
_MAX_SIZE = 1 << 16  # of a number of channels, classes or values
_MAX_LAYERS = 40
_MAX_RESOLUTION = 4096

Json: TypeAlias = bool | int | float | str | list | dict | None
# Whether a layer doubles the image, its input channels and its output channels; channels are in units of ch.
Layer: TypeAlias = tuple[bool, int, int]


@dataclasses.dataclass(frozen=True)
class HubConfig:
    """What config.json says of a generator.

    Attributes:
        layers: The blocks, two for each level.
        attention_layer_position: In front of which of the layers self-attention stands.
        channel_width: ch, the unit of channels.
        class_embed_dim: Values of the class embedding.
        eps: Is added to the variance in batch norms, and keeps the divisions of spectral norm finite.
        n_stats: For how many truncations each batch norm holds moments.
        num_classes: Classes.
        output_dim: Height and width of the images.
        z_dim: Values of a latent.
    """

    layers: tuple[Layer, ...]
    attention_layer_position: int
    channel_width: int
    class_embed_dim: int
    eps: float
    n_stats: int
    num_classes: int
    output_dim: int
    z_dim: int

    def model_config(self, policy: str) -> BigGANConfig:
        """The same as the configuration of both networks.

        Args:
            policy: The dtype policy.
        """
        upsampling = tuple(doubles for doubles, _, _ in self.layers[1::2])
        doublings_before_attention = sum(upsampling[: self.attention_layer_position // 2])
        return BigGANConfig(
            architecture="biggan_deep",
            reference="tfhub",
            resolution=self.output_dim,
            num_classes=self.num_classes,
            z_dim=self.z_dim,
            embedding_dim=self.class_embed_dim,
            generator_channels=self.channel_width,
            generator_table=(self.layers[0][1], *(outputs for _, _, outputs in self.layers[1::2])),
            generator_upsampling=upsampling,
            generator_attention=(BOTTOM_SIZE * 2**doublings_before_attention,),
            spectral_norm_epsilon=self.eps,
            batch_norm_epsilon=self.eps,
            policy=policy,
        )


def read(path: Path) -> HubConfig:
    """Reads a config.json.

    Raises:
        WeightsFileError: If it cannot be read, is no JSON object, or a value lies outside its range.
    """
    try:
        return parse(_read_json(path))
    except WeightsFileError as error:
        raise WeightsFileError(f"{path} {error}") from error.__cause__


def parse(settings: Json) -> HubConfig:
    """Checks the value of a config.json.

    Raises:
        WeightsFileError: If a value lies outside its range; the error says what the file must hold.
    """
    names = [field.name for field in dataclasses.fields(HubConfig)]
    if not isinstance(settings, dict):
        raise WeightsFileError(f"must hold a JSON object. Received: {shown(settings)}")
    missing = [name for name in names if name not in settings]
    if missing:
        raise WeightsFileError(f"must name {', '.join(sorted(names))}. Received: no {', '.join(sorted(missing))}")
    layers = _layers(settings["layers"])
    return HubConfig(
        layers=layers,
        attention_layer_position=_attention(settings["attention_layer_position"], layers),
        channel_width=_integer(settings, "channel_width"),
        class_embed_dim=_integer(settings, "class_embed_dim"),
        eps=_epsilon(settings["eps"]),
        n_stats=_integer(settings, "n_stats"),
        num_classes=_integer(settings, "num_classes"),
        output_dim=_resolution(settings["output_dim"], layers),
        z_dim=_integer(settings, "z_dim"),
    )


def _read_json(path: Path) -> Json:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # Opening a pipe would wait for ever.
            raise WeightsFileError("must be a readable JSON object. Received: no regular file")
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WeightsFileError(f"must be a readable JSON object. Received: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise WeightsFileError(f"must have at most {_MAX_FILE_BYTES:,} bytes. Received: more")
    try:
        parsed: Json = json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
    except WeightsFileError:
        raise
    except RecursionError as error:
        raise WeightsFileError(
            "must be a readable JSON object. Received: lists or objects nested without end"
        ) from error
    except ValueError as error:
        raise WeightsFileError(f"must be a readable JSON object. Received: {error}") from error
    return parsed


def _unique(pairs: list[tuple[str, Json]]) -> dict:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise WeightsFileError("must name each key once. Received: one of them twice")
    return values


def _is_size(value: Json) -> bool:
    return type(value) is int and 1 <= value <= _MAX_SIZE


def _integer(settings: dict, name: str) -> int:
    value = settings[name]
    if type(value) is not int or not _is_size(value):
        raise WeightsFileError(f'must have an integer from 1 to {_MAX_SIZE} as "{name}". Received: {shown(value)}')
    return value


def _epsilon(value: Json) -> float:
    if not isinstance(value, float) or not 0.0 < value < 1.0:
        raise WeightsFileError(f'must have a number between 0 and 1 as "eps". Received: {shown(value)}')
    return value


def _layers(value: Json) -> tuple[Layer, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= _MAX_LAYERS or len(value) % 2:
        raise WeightsFileError(
            f'must have a list of 2 to {_MAX_LAYERS} layers as "layers"; they must come in pairs. '
            f"Received: {shown(value)}"
        )
    layers = tuple(_layer(layer) for layer in value)
    for (doubles, *first), (_, *second) in zip(layers[::2], layers[1::2], strict=True):
        if doubles or first[0] != first[1] or first[1] != second[0] or second[1] > second[0]:
            raise WeightsFileError(
                'must have "layers" that must come in pairs, the first keeping size and channels, the second adding no '
                f"channels. Received: {shown(value)}"
            )
    for (*_, outputs), (_, inputs, _) in zip(layers[1::2], layers[2::2], strict=False):
        if outputs != inputs:
            raise WeightsFileError(
                'must have "layers" of which each takes the channels that the one before puts out. '
                f"Received: {shown(value)}"
            )
    return layers


def _layer(value: Json) -> Layer:
    match value:
        case [bool() as doubles, int() as inputs, int() as outputs] if _is_size(inputs) and _is_size(outputs):
            return doubles, inputs, outputs
    raise WeightsFileError(
        f'must have as each of the "layers" whether it doubles the image, its input and its output channels, such as '
        f"[true, 16, 8]. Received: {shown(value)}"
    )


def _attention(value: Json, layers: tuple[Layer, ...]) -> int:
    if type(value) is not int or value % 2 or not 0 < value <= len(layers):
        raise WeightsFileError(
            f'must have an even integer from 2 to {len(layers)} as "attention_layer_position", for attention between '
            f"two pairs of layers. Received: {shown(value)}"
        )
    return value


def _resolution(value: Json, layers: tuple[Layer, ...]) -> int:
    expected = BOTTOM_SIZE * 2 ** sum(doubles for doubles, _, _ in layers)
    if type(value) is not int or value != expected or value > _MAX_RESOLUTION:
        raise WeightsFileError(
            f'must have as "output_dim" what its "layers" make of {BOTTOM_SIZE} pixels, {expected}, and at most '
            f"{_MAX_RESOLUTION}. Received: {shown(value)}"
        )
    return value
