import io

import numpy as np
import pytest
from PIL import Image

from serving import signatures as s
from serving.input_limits import of_pictures
from serving.server.picture_inputs import with_readable_pictures
from serving.server.status import ServingError

RULE = r"image_bytes must be PNG, JPEG or WebP files of at most 100 pixels in a request\. Received in row "


def png(width, height):
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def read(*files):
    return with_readable_pictures(of_pictures(100), {s.IMAGE_BYTES: np.array(files, object)})[s.IMAGE_BYTES]


def test_pictures_that_fit_together_are_taken():
    assert len(read(png(10, 5), png(5, 10))) == 2
    assert len(read()) == 0


def test_the_row_that_no_longer_fits_is_named_with_what_the_rows_before_it_took():
    with pytest.raises(
        ServingError, match=RULE + "2: 7 x 3 pixels, and 80 in the rows before it. Send several requests."
    ):
        read(png(10, 5), png(5, 6), png(7, 3))


def test_a_picture_that_is_too_large_by_itself_is_asked_for_smaller():
    with pytest.raises(ServingError, match=RULE + r"1: A picture must have from 1 to 100 pixels\. Received: 11 x 10"):
        read(png(10, 5), png(11, 10))
