"""The studies that can look at a trained model, with one that has real images, batch norms and classes."""

import json

import pytest

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.studies import real_images, registry
from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.execution import described, perform
from tests.biggan_tf.evaluation.conftest import data_folder, extractor  # noqa: F401 - fixtures
from tests.biggan_tf.studies.models import studied

# These need a generator with styles and noise: trained_networks_test.py has them.
OF_STYLES = {"mapping_network", "noise_texture"}
USING = [name for name in registry.STUDIES if registry.load(name).uses_run and name not in OF_STYLES]


@pytest.fixture(scope="module")
def model(data_folder):  # noqa: F811
    config = BigGANConfig(
        resolution=32,
        z_dim=20,
        num_classes=3,
        embedding_dim=8,
        generator_channels=4,
        discriminator_channels=4,
        generator_attention=(),
        discriminator_attention=(),
    )
    return studied(config, data_path=data_folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] if number % 3 else []) for number, name in enumerate(USING)],
)
def test_a_study_of_a_model_adds_to_its_own_numbers(name, model, extractor, monkeypatch):  # noqa: F811
    monkeypatch.setattr(real_images, "load_extractor", lambda kind: extractor)
    context = StudyContext(budget="small", model=model)
    study = registry.load(name)
    result = perform(study, context)
    told = json.loads(json.dumps(described(study, context, result)))
    assert told["protocol"]["model"] == model.source
    assert told["protocol"]["trained"]["family"] == "biggan"
    own = perform(study, StudyContext(budget="small"))
    assert told["numbers"] != json.loads(json.dumps(described(study, context, own)))["numbers"]


def test_weights_without_data_are_refused_where_real_images_are_needed():
    model = studied()
    with pytest.raises(StudyError, match="--data"):
        real_images.folder(StudyContext(model=model), model)


def test_data_that_is_named_comes_before_the_runs(data_folder):  # noqa: F811
    model = studied(data_path="elsewhere")
    assert real_images.folder(StudyContext(model=model, data=data_folder), model) == data_folder
    assert real_images.folder(StudyContext(model=model), model) == "elsewhere"
