"""The sources of images: each module lists the images of one layout of the input, without decoding any."""
