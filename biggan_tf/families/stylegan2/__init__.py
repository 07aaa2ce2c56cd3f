"""StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), whose layers are steered by styles."""
