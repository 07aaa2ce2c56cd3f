"""A section of a configuration: a dataclass whose attributes are its fields and no others."""

from __future__ import annotations

import dataclasses
from typing import Any

from biggan_tf.config import checks, migration


class Section:
    """Refuses attributes that are no fields, which nothing would ever read: `config.model.resolutoin = 64`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if dataclasses.is_dataclass(self) and name not in type(self).__dataclass_fields__:
            names = [field.name for field in dataclasses.fields(self)]
            moved = [new for old, new in migration.MOVED.items() if old.endswith(f".{name}")]
            hint = f" In a run's configuration it is {moved[0]} now." if moved else ""
            raise AttributeError(f"{type(self).__name__}: {checks.unknown_field(name, names)}{hint}")
        super().__setattr__(name, value)
