r"""Projection, ACGAN and 2C on the demo's shapes, each with right labels and with a fifth of the labels wrong.

    python -m pipeline.preprocess --source=shapes --output=data/shapes --resolutions=32 --num_shapes=2000
    python -m biggan_tf.compare --config=configs/compare_label_noise.py --config.data.path=data/shapes/32 \
        --config.evaluation.features_path=classifier.npz --output=DIR

classifier.npz is what `biggan_tf.evaluate --features=classifier`, or the Evaluator of `python -m pipeline.demo`, leaves
in its folder after a training on these shapes; the one below was trained in 600 steps and names all of the 210
validation images rightly. Minutes are those of the processor.

Expected cost and score: 6 runs of 2 minutes on two cores, and a minute for each besides. Measured with one seed, in
mixed_bfloat16, after 67,000 to 75,000 images; class agreement is `accuracy`, of 2,000 samples:

    condition      right labels   a fifth wrong   fd_classifier, right and wrong
    projection         94.3%          79.3%           1.61   2.43
    ACGAN              95.8%          92.2%           2.83   2.67
    2C                 53.9%          45.3%           5.14   6.15

ACGAN bears wrong labels best: its classifier learns what most images of a class share, and G is trained towards that.
Projection follows the labels that it is given: 79.3% is what a generator has that draws the label's own share of
classes, 80%. 2C compares the 16 images of a batch, where an image has 1.5 others of its class, and is far from the
others with right labels already: so small a batch and budget say little of it.
"""

from biggan_tf.conditions.config import ACGANConfig, ContraGANConfig, ProjectionConfig
from biggan_tf.config import Config, EvaluationConfig
from biggan_tf.config.comparison import BudgetConfig, ComparisonConfig, ComparisonEntry, CurveConfig
from biggan_tf.config.parts import ConditionConfig
from configs import pipeline_demo

WRONG_SHARE = 0.2
CONDITIONS: tuple[tuple[str, type[ConditionConfig]], ...] = (
    ("projection", ProjectionConfig),
    ("acgan", ACGANConfig),
    ("contragan_2c", ContraGANConfig),
)


def get_config() -> ComparisonConfig:
    return ComparisonConfig(
        name="Three conditions on shapes, with right and with wrong labels",
        description=(
            "Entries that end in wrong_labels were trained on data of which a fifth of the labels are those of another "
            "class. Accuracy is the share of samples that a classifier, trained on right labels, takes for the class "
            "that they were asked for."
        ),
        entries=tuple(
            ComparisonEntry(f"{name}{ending}", _trained_with(condition(), share))
            for name, condition in CONDITIONS
            for ending, share in (("", 0.0), ("_wrong_labels", WRONG_SHARE))
        ),
        budget=BudgetConfig(minutes=2.0, clock="processor"),
        evaluation=EvaluationConfig(metrics=("accuracy", "fd"), features="classifier", num_samples=2000),
        curve=CurveConfig(points=0),
    )


def _trained_with(condition: ConditionConfig, share: float) -> Config:
    """The demo's training with another condition.

    Args:
        condition: How the discriminator learns of classes.
        share: How many of the labels are wrong, from 0 to 1.
    """
    config: Config = pipeline_demo.get_config().trainer
    config.model.condition = condition
    config.data.label_noise = share
    return config
