"""Whether EfficientNet-Lite0's features know photographs, and order damage as a person would."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from biggan_tf.data.class_names import imagenet
from biggan_tf.evaluation.extractors.features import FeatureExtractor, load_extractor
from biggan_tf.evaluation.metrics.frechet import frechet_distance_of_features
from biggan_tf.evaluation.metrics.inception_score import top_k_accuracy

TITLE = "efficientnet_lite0: accuracy, and FD(half, half) < FD(half, blurred) < FD(half, noise)"

SHARED = Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data"


def measure() -> list[dict]:
    if not SHARED.exists():
        return [{"data": "skipped", "why": f"{SHARED} is missing (BIGGAN_TF_SHARED)"}]
    extractor = load_extractor("efficientnet_lite0")
    photographs, labels = _photographs()
    _, logits = _features(extractor, photographs)
    rows = [{"data": "500 photographs", "top_1": top_k_accuracy(logits, labels)}]
    rows.append({"data": "500 photographs, 128 pixels", **_ranking(extractor, _resized(photographs, 128))})
    rows.append({"data": "CIFAR-10, 2,000 images", **_ranking(extractor, _cifar(2000))})
    return rows


def _ranking(extractor: FeatureExtractor, images: np.ndarray) -> dict:
    images = images[np.random.default_rng(0).permutation(len(images))]
    half, other = np.array_split(images, 2)
    radius = images.shape[1] / 64
    blurred = np.stack([np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(radius))) for x in other])
    noise = np.random.default_rng(1).integers(0, 256, other.shape).astype(np.uint8)
    base = _features(extractor, half)[0]
    values = {
        name: frechet_distance_of_features(base, _features(extractor, x)[0]).total
        for name, x in (("half", other), ("blurred", blurred), ("noise", noise))
    }
    ordered = values["half"] < values["blurred"] < values["noise"]
    return {**{f"fd_{name}": round(value, 3) for name, value in values.items()}, "ordered": ordered}


def _features(extractor: FeatureExtractor, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [extractor(images[start : start + 50]) for start in range(0, len(images), 50)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _photographs() -> tuple[np.ndarray, np.ndarray]:
    """The middle square, 7/8 of the shorter side, at 224 pixels: the evaluation of that network's own code."""
    images, labels = [], []
    with tarfile.open(SHARED / "imagenet_samples_500.tar") as archive:
        for member in archive:
            if member.isfile():
                image = Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")
                side = round(0.875 * min(image.size))
                left, top = (image.width - side) // 2, (image.height - side) // 2
                square = image.crop((left, top, left + side, top + side))
                images.append(np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC)))
                labels.append(imagenet().synsets.index(member.name.split("/")[1]))
    return np.stack(images), np.array(labels)


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(x).resize((size, size), Image.Resampling.LANCZOS)) for x in images])


def _cifar(count: int) -> np.ndarray:
    images = []
    with tarfile.open(SHARED / "cifar10_train_jpeg.tar.gz") as archive:
        for index, member in enumerate(m for m in archive if m.isfile()):
            if index % (50_000 // count) == 0:
                images.append(np.asarray(Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")))
    return np.stack(images)
