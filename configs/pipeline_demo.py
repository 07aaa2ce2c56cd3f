"""The whole pipeline on made shapes at 32 pixels: what `make demo` runs.

python -m pipeline.run --config=configs/pipeline_demo.py --pipeline_root=DIR

Measured on two cores of an AMD EPYC (Zen 5): `make demo` took 3:10 in a bare clone, 52 seconds of it set-up and 97
training and export in mixed_bfloat16; the classifier gives 90.0% of 1,000 samples their class. Held to AVX2's kernels
(ONEDNN_MAX_CPU_ISA=AVX2), in float32, the demo took 2:47 after the set-up, and 86.2% have their class.
"""

from pipeline.pipeline_config import PipelineConfig


def get_config() -> PipelineConfig:
    config = PipelineConfig(name="shapes")
    config.examples.source = "shapes"
    config.examples.num_shapes = 2000
    model = config.trainer.model
    model.resolution = 32
    model.num_classes = 10
    model.z_dim = 32
    model.embedding_dim = 32
    model.generator_channels = model.discriminator_channels = 16
    model.generator_table, model.generator_upsampling = (8, 4, 2, 1), (True, True, True)
    model.discriminator_table, model.discriminator_downsampling = (1, 2, 4, 8), (True, True, True, False)
    model.generator_attention = model.discriminator_attention = ()
    model.policy = "auto"
    config.trainer.name = "shapes"
    training = config.trainer.training
    training.batch_size = 16
    training.num_steps = 2400
    training.discriminator_steps = 1
    training.orthogonal_strength = 0.0
    training.generator.learning_rate = training.discriminator.learning_rate = 1e-3
    training.generator.beta_2 = training.discriminator.beta_2 = 0.99
    training.ema_half_life_images = 1_500
    training.ema_warmup_ratio = 0.1
    config.trainer.checkpoints.every_steps = 500
    config.trainer.monitoring.sample_every_steps = 800
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
