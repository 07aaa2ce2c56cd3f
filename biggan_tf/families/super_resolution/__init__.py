"""Super-resolution: a generator that enlarges a small image, and a discriminator that sees both (arXiv:1609.04802)."""
