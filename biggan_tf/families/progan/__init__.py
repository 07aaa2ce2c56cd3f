"""Progressively growing GANs (Karras et al. 2018, arXiv:1710.10196), whose networks gain a resolution at a time."""
