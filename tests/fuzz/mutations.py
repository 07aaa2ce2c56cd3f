"""Changes bytes at random, always in the same way for the same random numbers."""

import random

# Instructions of pickles, ends of numbers, quotation marks and brackets: bytes that mean something to a reader.
_MEANINGFUL = b'\x00\x01\x7f\x80\xff(].}etuQRhq{}[]",:0-\n'


def changed(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """The data after one to eight changes.

    Args:
        data: What is changed.
        others: Data whose parts may be put in.
        draw: Decides the changes.
    """
    result = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        place, count = draw.randrange(len(result) + 1), draw.randint(1, 16)
        match draw.randrange(6):
            case 0:
                del result[place : place + count]
            case 1:
                result[place:place] = draw.randbytes(count)
            case 2:
                result[place : place + count] = draw.randbytes(count)
            case 3:
                result[place : place + 1] = bytes([draw.choice(_MEANINGFUL)])
            case 4:
                source = draw.choice(others)
                begin = draw.randrange(len(source) + 1)
                result[place:place] = source[begin : begin + draw.randint(1, 64)]
            case 5:
                del result[place:]
    return bytes(result)
