"""A target that three bytes break: the test of the fuzzing looks whether they are found."""


def fuzz_one(data: bytes) -> None:
    """Raises for data that begins with a, b and c."""
    if data[:1] == b"a" and data[1:2] == b"b" and data[2:3] == b"c":
        raise KeyError("abc")
