"""The precisions in which a benchmark times networks on this machine."""

from biggan_tf import precision


def worth_timing() -> tuple[str, ...]:
    """float32, and mixed_bfloat16 where "auto" would take it; elsewhere that takes up to thirty times as long."""
    return tuple(dict.fromkeys((precision.FLOAT32, precision.automatic().policy)))
