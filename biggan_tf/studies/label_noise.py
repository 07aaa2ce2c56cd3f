"""Label noise: what wrong labels do to the gradients that two kinds of conditional discriminators learn from."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from biggan_tf.conditions.acgan import ACGANCondition
from biggan_tf.conditions.config import ACGANConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch
from biggan_tf.games.config import NonSaturatingConfig
from biggan_tf.games.non_saturating import NonSaturatingGame
from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.condition_heads import LinearHead
from biggan_tf.layers.projection_head import ProjectionHead
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.given_round import GivenRound
from biggan_tf.types import Scalar

_FEATURES = 64
_NOISES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])  # the share of labels that are of another class
_JUDGED_AT = 0.4
_NEAR_ONE = 0.9
_LEARNING_RATE = 0.01
_KINDS = ("projection", "ACGAN")

_Loss = Callable[[Float[tf.Tensor, "N F"], Int[tf.Tensor, " N"], bool], Scalar]


def _run(context: StudyContext) -> StudyResult:
    """Trains both heads on clean labels, and then takes the gradient that noisy ones are expected to give."""
    rows, steps, class_counts = context.sized((64, 60, (2, 10)), (256, 300, (2, 5, 10, 20, 50)))
    cosines: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _KINDS}
    untrained: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _KINDS}
    for num_classes in class_counts:
        features, fakes, labels = _features(context.random(f"features {num_classes}"), rows, num_classes)
        for kind in _KINDS:
            keras.utils.set_random_seed(context.seed)
            layers, loss = _head(kind, num_classes, fakes, labels)
            untrained[kind][str(num_classes)] = _cosines(loss, features, labels, num_classes)
            _train(layers, loss, features, labels, steps)
            cosines[kind][str(num_classes)] = _cosines(loss, features, labels, num_classes)
    place = int(np.argmin(np.abs(_NOISES - _JUDGED_AT)))
    at = {kind: {count: float(values[place]) for count, values in cosines[kind].items()} for kind in _KINDS}
    lowest = min(at["projection"].values())
    highest = max(at["ACGAN"].values())
    before = {kind: min(float(values[place]) for values in untrained[kind].values()) for kind in _KINDS}
    if lowest > _NEAR_ONE > highest:
        verdict = "so projection stays near 1 and ACGAN falls"
    elif lowest > highest:
        verdict = (
            f"so projection keeps more of its direction than ACGAN, but it does not stay near 1 (above {_NEAR_ONE:g})"
        )
    else:
        verdict = "so the two are not set apart"
    return StudyResult(
        holds=lowest > _NEAR_ONE > highest,
        numbers={
            "noise": _NOISES,
            "cosine": cosines,
            "cosine_of_untrained_heads": untrained,
            "cosine_at_judged_noise": at,
        },
        settings={
            "rows": rows,
            "steps": steps,
            "classes": class_counts,
            "features": _FEATURES,
            "learning_rate": _LEARNING_RATE,
            "judged_at": _JUDGED_AT,
            "near_one": _NEAR_ONE,
        },
        paragraph=(
            "Claim: wrong labels hardly turn the gradient of a projection discriminator, since most of its logit does "
            "not depend on the class, while they turn that of ACGAN's classifier. Computed: BigGAN's projection head, "
            "and an unconditional head with ACGAN's class head, which classifies real features and fakes, each trained "
            f"for {steps} steps on clean labels of {', '.join(map(str, class_counts))} classes of random features; "
            "then the cosine between the gradient that real images' features get with clean labels and the one that "
            "they are expected to get when a share of the labels is of another class. Came out: at a share of "
            f"{_JUDGED_AT:g} the cosine is {lowest:.2f} or more with projection and from "
            f"{min(at['ACGAN'].values()):.2f} to {highest:.2f} with ACGAN, {verdict}. Where it stops: before any "
            f"training the smallest cosines are {before['projection']:.2f} and {before['ACGAN']:.2f}, because a "
            "classifier that knows nothing yet gets the same direction, only shorter. The gap comes with the "
            "classifier's confidence: its clean gradient goes to 0, and what is left is the noise. A projection head "
            "that is trained for longer puts more of its logit into the class, and turns more as well. Training on "
            "noisy labels from the start keeps both less sure."
        ),
        figure=_figure(cosines, {kind: untrained[kind][str(class_counts[-1])] for kind in _KINDS}, class_counts),
        alt="Cosine between clean and noisy gradients over the share of wrong labels, and over the number of classes.",
    )


def _features(
    random: np.random.Generator, rows: int, num_classes: int
) -> tuple[Float[tf.Tensor, "N F"], Float[tf.Tensor, "N F"], Int[tf.Tensor, " N"]]:
    """Features of real images, with a mean for each class, and of fakes; as after a ReLU, none is negative."""
    labels = np.arange(rows) % num_classes
    means = random.standard_normal((num_classes, _FEATURES))
    shift = 0.5 * random.standard_normal(_FEATURES)  # between real images and fakes of all classes
    real, fake = (means[labels] + sign * shift + random.standard_normal((rows, _FEATURES)) for sign in (1, -1))
    real, fake = (tf.constant(np.maximum(each, 0.0) / np.sqrt(_FEATURES), tf.float32) for each in (real, fake))
    return real, fake, tf.constant(labels, tf.int32)


def _head(
    kind: str, num_classes: int, fakes: Float[tf.Tensor, "N F"], fake_labels: Int[tf.Tensor, " N"]
) -> tuple[list[keras.layers.Layer], _Loss]:
    """A head's layers, and D's loss by real features, their labels, and whether it is a step of training.

    The loss is that of the non-saturating game in a round of features, to which ACGAN adds its terms for the real
    features and for the fakes.
    """
    game = NonSaturatingGame(NonSaturatingConfig())
    plain = SpectralNormOptions(enabled=False)
    head = ProjectionHead(num_classes if kind == "projection" else 0, spectral_norm=plain)
    head.build((None, 1, 1, _FEATURES))
    layers: list[keras.layers.Layer] = [head]
    condition = ACGANCondition(ACGANConfig())
    classifier: LinearHead | None = None
    if kind == "ACGAN":
        classifier = condition.head(
            num_classes, lambda units, bias, name: keras.layers.Dense(units, use_bias=bias, name=name), "float32"
        )
        classifier.build((None, _FEATURES), (None, 1, 1, _FEATURES))
        layers.append(classifier)

    def loss(features: Float[tf.Tensor, "N F"], labels: Int[tf.Tensor, " N"], training: bool) -> Scalar:
        def judge(batch: Batch) -> Judgement:
            given = batch.images[:, 0, 0]
            conditional = batch.labels if classifier is None else None
            answers = {} if classifier is None else classifier(given, batch.images)
            return Judgement(head.logits(given, conditional, training=training), given, answers)

        real, fake = Batch(features[:, None, None], labels), Batch(fakes[:, None, None], fake_labels)
        round_ = GivenRound(real, lambda: fake, judge)
        value, _ = game.discriminator_loss(round_)
        if classifier is not None:
            term, _ = condition.discriminator_term(
                round_, JudgedBatch(real, judge(real)), JudgedBatch(fake, judge(fake))
            )
            value = value + term
        return value

    return layers, loss


def _train(
    layers: list[keras.layers.Layer],
    loss: _Loss,
    features: Float[tf.Tensor, "N F"],
    labels: Int[tf.Tensor, " N"],
    steps: int,
) -> None:
    """Full-batch steps of Adam on clean labels."""
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    optimizer = keras.optimizers.Adam(_LEARNING_RATE)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step() -> None:
        with tf.GradientTape() as tape:
            value = loss(features, labels, True)
        optimizer.apply(tape.gradient(value, variables), variables)

    for _ in range(steps):
        step()


def _cosines(
    loss: _Loss, features: Float[tf.Tensor, "N F"], labels: Int[tf.Tensor, " N"], num_classes: int
) -> Float[np.ndarray, " noises"]:
    """The cosine between the clean gradient by the features and the one expected at each noise.

    With the rate rho the label is right with probability 1 - rho, and each other class has rho / (K - 1):
    E[g] = (1 - rho) g_y + rho / (K - 1) sum_(k != y) g_k, for each row.
    """

    @tf.function(autograph=False)
    def gradient(given: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = loss(features, given, False)
        return tape.gradient(value, features)

    clean = np.asarray(gradient(labels), np.float64)
    total = sum(np.asarray(gradient(tf.fill(tf.shape(labels), k)), np.float64) for k in range(num_classes))
    wrong = (total - clean) / (num_classes - 1)
    found = []
    for rate in _NOISES:
        noisy = (1.0 - rate) * clean + rate * wrong
        found.append(np.sum(clean * noisy) / max(np.linalg.norm(clean) * np.linalg.norm(noisy), 1e-300))
    return np.array(found)


def _figure(
    cosines: dict[str, dict[str, np.ndarray]], untrained: dict[str, np.ndarray], class_counts: tuple[int, ...]
) -> Figure:
    figure, (over_noise, over_classes) = drawing.new_figure(
        "Wrong labels turn the gradient of a trained classifier more than that of projection", 2
    )
    most = str(class_counts[-1])
    place = int(np.argmin(np.abs(_NOISES - _JUDGED_AT)))
    for number, kind in enumerate(_KINDS):
        over_noise.plot(_NOISES, cosines[kind][most], label=kind, **drawing.style(number))
        over_noise.plot(_NOISES, untrained[kind], label=f"{kind}, untrained", **drawing.style(number + 2))
        over_classes.plot(
            class_counts,
            [cosines[kind][str(count)][place] for count in class_counts],
            label=kind,
            **drawing.style(number),
        )
    over_classes.set_xscale("log")
    over_classes.set_xticks(class_counts, [str(count) for count in class_counts])
    over_classes.minorticks_off()
    drawing.label(over_noise, "share of labels that are wrong", "cosine with the\nclean gradient", f"{most} classes")
    drawing.label(
        over_classes,
        "number of classes",
        "cosine with the\nclean gradient",
        f"{_JUDGED_AT:.0%} of the labels are wrong",
    )
    return figure


STUDY = Study(
    name="label_noise",
    title="Wrong labels and the gradient of a conditional discriminator",
    claim="With wrong labels the gradient of a projection head keeps its direction, and that of ACGAN turns away.",
    run=_run,
)
