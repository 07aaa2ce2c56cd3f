"""Trains a BigGAN.

python -m biggan_tf.train --config=configs/biggan_128.py --config.data.path=DATA --workdir=DIR

The same command resumes. `--dry_run` prints what the configuration costs as one JSON object and ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

from biggan_tf import config_flags
from biggan_tf.config import to_dict

_CONFIG = config_flags.define_config()
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print parameters, operations and memory as JSON, and end.")


def main(argv: Sequence[str]) -> int:
    """Trains, or prints the cost."""
    del argv
    config = config_flags.resolve(_CONFIG)
    config.validate()
    if _DRY_RUN.value:
        from biggan_tf.networks import cost

        print(json.dumps({**cost.report(config), "config": to_dict(config)}, indent=2))  # noqa: T201 - the output
        return 0
    config_flags.fail("Only --dry_run is built yet.")
    return 2


def run() -> None:
    """The console script."""
    config_flags.run(main)


if __name__ == "__main__":
    run()
