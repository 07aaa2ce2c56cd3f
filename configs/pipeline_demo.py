"""All stages of the pipeline on drawn shapes at 32 pixels: what `make demo` runs.

python -m pipeline.run --config=configs/pipeline_demo.py --pipeline_root=DIR

Expected cost and score, measured on two cores of an AMD EPYC (Zen 5): `make demo` took 3:10 from a bare clone, of which
the set-up took 52 seconds, and training and export in mixed_bfloat16 97 seconds. The classifier gives 90.0% of 1,000
samples the class that they were asked for. Limited to oneDNN's kernels for AVX2 (ONEDNN_MAX_CPU_ISA=AVX2), in
float32, the demo took 2:47 after the set-up, and the classifier agrees with 86.2%.
"""

from biggan_tf.config import Config
from configs import shapes
from pipeline.staged.config import PipelineConfig


def get_config() -> PipelineConfig:
    config = PipelineConfig(name="shapes")
    config.examples.source = "shapes"
    config.examples.num_shapes = 2000
    config.trainer = _narrowed(shapes.get_config())
    config.export.passes = 10
    config.export.batch_size = 32
    evaluator = config.evaluator
    evaluator.features = "classifier"
    evaluator.classifier_steps = 400
    evaluator.metrics = ("fd", "accuracy")
    evaluator.num_samples = 1000
    evaluator.thresholds = ("accuracy >= 0.8",)
    evaluator.must_not_worsen = ("fd_classifier",)
    evaluator.tolerance = 0.05
    return config


def _narrowed(recipe: Config) -> Config:
    """The recipe of the shapes with networks and a training that a minute is enough for."""
    recipe.model.generator_channels = recipe.model.discriminator_channels = 16
    training = recipe.training
    training.batch_size = 16
    training.num_steps = 2400
    training.ema_half_life_images = 1_500
    recipe.monitoring.sample_every_steps = 800
    return recipe
