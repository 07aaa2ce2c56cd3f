"""BigGAN and BigGAN-deep in TensorFlow and Keras 3."""
