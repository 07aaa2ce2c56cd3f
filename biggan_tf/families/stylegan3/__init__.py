"""StyleGAN3 (Karras et al. 2021, arXiv:2106.12423), whose images move with their content and not with the pixels."""
