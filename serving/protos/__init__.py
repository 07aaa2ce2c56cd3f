"""Messages of the TensorFlow Serving API that its Python package lacks, or carries only behind TensorFlow."""
