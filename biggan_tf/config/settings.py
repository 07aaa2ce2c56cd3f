"""Settings: dataclass fields that are written down once and become flags as well as fields of a configuration."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any


def setting(default: Any, meaning: str, choices: Sequence[str] = (), at_least: int | None = None) -> Any:
    """A field of a dataclass of settings; `biggan_tf.config.flags.define_fields` makes its flag.

    Args:
        default: The value where none is given.
        meaning: What the value does, with its unit and an example: the help of the flag.
        choices: The words that the value may be; (): any.
        at_least: The smallest number that the value may be; None: there is none.
    """
    return dataclasses.field(default=default, metadata={"meaning": meaning, "choices": choices, "at_least": at_least})


def problems(settings: Any, section: str) -> Iterator[str]:
    """What is wrong with the values of a dataclass of settings, a sentence each.

    Args:
        settings: The dataclass.
        section: Its place in the configuration, which the sentences name, e.g. "export".
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        choices, at_least = field.metadata.get("choices", ()), field.metadata.get("at_least")
        if choices and value not in choices:
            yield f"{section}.{field.name} must be {' or '.join(choices)}. Received: {value!r}."
        if at_least is not None and value < at_least:
            yield f"{section}.{field.name} must be at least {at_least}. Received: {value}."
