"""The export of a generator with styles: it is the generator's, whole and by halves, and a server gives it out."""

import asyncio

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.latents import noise_keys, row_latents
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training.gan import GAN
from serving import signatures as s
from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from serving.export import export_generator as exporting
from serving.export.infra_validation import ExportError
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.input_limits import limits_for
from tests.biggan_tf.families.stylegan2 import smallest
from tests.serving.embedded import running

RULE = smallest.model().truncation_rule
SEEDS = tf.constant([0, 7, 2**40 + 1], tf.int64)
Z = row_latents(SEEDS, tf.ones([3]), 8, rule=RULE)
Y = np.eye(3, dtype=np.float32)[[2, 0, 1]]
PSI, CUTOFF = np.array([1.0, 0.5, 0.0], np.float32), np.array([s.ALL_LAYERS, 2, 0], np.int32)


def generator(**fields):
    made = smallest.model(**fields).generator()
    rng = np.random.default_rng(3)
    for weight in made.weights:
        if weight.dtype == "float32":
            weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return made


@pytest.fixture(scope="module")
def trained():
    return generator()


@pytest.fixture(scope="module")
def functions(trained):
    return ServedGenerator(trained.config.fold(trained, {})).functions()


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    module = ServedGenerator(trained.config.fold(trained, {}))
    tf.saved_model.save(module, str(base / "1"), signatures=module.functions())
    with running(model_base_path=str(base)) as (_, address), GeneratorClient(address, "small") as client:
        yield client


def test_latents_are_those_of_the_prior_at_any_truncation():
    for truncation in (0.0, 0.3, 2.0):
        z = row_latents(SEEDS, tf.fill([3], truncation), 8, rule=RULE)
        np.testing.assert_array_equal(z, Z)
    for row, seed in enumerate(SEEDS.numpy()):
        np.testing.assert_array_equal(Z[row], latents.normal(tf.constant([seed, 0], tf.int64), [8]))


def test_the_same_class_seed_and_truncation_give_the_same_picture_served_in_commands_and_in_python(trained, functions):
    labels, seed, psi = [2, 0, 1], 7, 0.6
    served = functions[s.SAMPLE](
        label=tf.constant(labels), seed=tf.range(3, dtype=tf.int64) + seed, truncation=tf.fill([3], psi)
    )[s.IMAGES]
    sampler = GeneratorSampler(trained, seed=seed, truncation=psi, as_served=True)
    ((sampled, _),) = sampler.batches(3, labels)
    gan = GAN(smallest.config())
    gan.ema_generator.set_weights(trained.get_weights())
    drawn = gan.sample(labels, seed=seed, truncation=psi)
    for pictures in (sampled, drawn):
        # The folded network rounds otherwise.
        assert np.max(np.abs(np.asarray(pictures).astype(int) - np.asarray(served).astype(int))) <= 1


@pytest.mark.parametrize("fields", [{}, {"num_classes": 0}, {"noise": "none"}, {"truncation_cutoff": 1}], ids=str)
def test_a_folded_generator_is_the_generator(fields):
    made = generator(**fields)
    embedding = made.embed(np.array([2, 0, 1])) if made.config.num_classes else None
    before = made.get_weights()
    folded = made.config.fold(made, {})
    keys = noise_keys(SEEDS)
    expected = made.synthesise(made.styles(Z, embedding, PSI), keys)
    np.testing.assert_allclose(folded(Z, embedding, tf.constant(PSI), keys), expected, atol=2e-5)
    ws = made.layer_ws(Z, embedding, PSI, CUTOFF)
    np.testing.assert_allclose(folded.map(Z, embedding, PSI, CUTOFF), ws, atol=1e-5)
    np.testing.assert_allclose(folded.synthesise(ws, keys), made.synthesise(made.styles_from(ws), keys), atol=2e-5)
    for ours, theirs in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folded_generator_in_bfloat16_is_near_the_generator(trained):
    folded = trained.config.fold(trained, {}, "bfloat16")
    exact = trained.synthesise(trained.styles(Z, trained.embed(np.array([2, 0, 1])), PSI))
    images = folded(Z, trained.embed(np.array([2, 0, 1])), tf.constant(PSI))
    assert np.abs(images - exact).max() < 0.03 * np.abs(exact).max()


def test_the_sums_of_the_demodulation_and_all_gains_are_computed_once(trained):
    folded = trained.config.fold(trained, {})
    graph = tf.function(folded.synthesise, autograph=False).get_concrete_function(
        tf.TensorSpec([1, trained.num_styles, 6]), tf.TensorSpec([1, 2], tf.int64)
    )
    squares = [op for op in graph.graph.get_operations() if op.type == "Square"]
    assert all(len(op.outputs[0].shape) == 2 for op in squares)  # of styles, and none of a kernel


def test_signatures_agree_with_one_another_and_with_the_generator(functions, trained):
    labels, psi = np.array([2, 0, 1], np.int32), np.array([1.0, 0.5, 0.25], np.float32)
    sampled = functions[s.SAMPLE](label=labels, seed=SEEDS, truncation=psi)
    z = functions[s.LATENTS](seed=SEEDS, truncation=psi)[s.LATENT]
    np.testing.assert_array_equal(z, Z)
    mapped = functions[s.MAP](z=z, y=Y, truncation=psi, cutoff=np.full(3, s.ALL_LAYERS, np.int32))
    images = functions[s.SYNTHESIZE_STYLES](w=mapped[s.STYLES], seed=SEEDS)
    np.testing.assert_array_equal(to_bytes(images[s.IMAGES]), sampled[s.IMAGES])
    pictures = functions[s.SYNTHESIZE_STYLES_PNG](w=mapped[s.STYLES], seed=SEEDS)[s.IMAGE_BYTES]
    np.testing.assert_array_equal(pictures, sampled[s.IMAGE_BYTES])
    ws = trained.layer_ws(Z, trained.embed(labels), PSI, CUTOFF)
    np.testing.assert_allclose(functions[s.MAP](z=Z, y=Y, truncation=PSI, cutoff=CUTOFF)[s.STYLES], ws, atol=1e-5)
    assert np.asarray(images[s.VALID]).all()


def test_a_row_has_the_same_bits_in_any_batch(functions):
    ws = functions[s.MAP](z=Z, y=Y, truncation=PSI, cutoff=CUTOFF)[s.STYLES]
    images = functions[s.SYNTHESIZE_STYLES](w=ws, seed=SEEDS)[s.IMAGES]
    for start, stop in ((0, 1), (1, 3), (2, 3)):
        part = slice(start, stop)
        again = functions[s.MAP](z=Z[part], y=Y[part], truncation=PSI[part], cutoff=CUTOFF[part])[s.STYLES]
        np.testing.assert_array_equal(again, ws[part])
        np.testing.assert_array_equal(
            functions[s.SYNTHESIZE_STYLES](w=ws[part], seed=SEEDS[part])[s.IMAGES], images[part]
        )


def test_rows_out_of_bounds_are_blank_and_marked(functions):
    psi = np.array([-0.1, 2.1, 0.0, 2.0, 1.0, 1.0], np.float32)
    cutoff, z = np.array([1, 1, 1, 1, -2, 1], np.int32), np.zeros([6, 8], np.float32)
    z[5, 0] = np.nan
    answer = functions[s.MAP](z=z, y=np.tile(Y[:1], (6, 1)), truncation=psi, cutoff=cutoff)
    assert answer[s.VALID].numpy().tolist() == [False, False, True, True, False, False]
    assert not answer[s.STYLES].numpy()[[0, 1, 4, 5]].any()
    ws = np.zeros([2, 4, 6], np.float32)
    ws[1, 0, 0] = np.inf
    answer = functions[s.SYNTHESIZE_STYLES](w=ws, seed=np.array([1, 2]))
    assert answer[s.VALID].numpy().tolist() == [True, False]
    assert not answer[s.IMAGES].numpy()[1].any()


def test_limits_are_those_of_styles():
    limits = limits_for(model_sizes(smallest.model().fold(generator(), {})), (RULE.low, RULE.high))
    assert limits[s.TRUNCATION].fits(np.array([-0.01, 0.0, 2.0, 2.01])).tolist() == [False, True, True, False]
    assert limits[s.CUTOFF].fits(np.array([-2, -1, s.ALL_LAYERS], np.int32)).tolist() == [False, True, True]
    assert s.STYLES in limits
    assert s.STYLES not in limits_for({"num_classes": 3})


@pytest.mark.slow
def test_a_server_gives_out_both_halves(served, functions):
    w = served.map(Z, Y, PSI, CUTOFF)
    np.testing.assert_array_equal(w, functions[s.MAP](z=Z, y=Y, truncation=PSI, cutoff=CUTOFF)[s.STYLES])
    images = served.synthesize_styles(w, SEEDS.numpy())
    np.testing.assert_array_equal(images, functions[s.SYNTHESIZE_STYLES](w=w, seed=SEEDS)[s.IMAGES])
    assert served.synthesize_styles_png(w[:1])[0].startswith(b"\x89PNG")
    assert served.sample_png([1], [2]) == served.sample_png([1], [2], RULE.default)

    async def asked():
        async with AsyncGeneratorClient(served._target, served._model) as client:
            ws = await client.map(Z, Y, PSI, CUTOFF)
            drawn = await client.synthesize_styles(ws, SEEDS.numpy())
            png, without = await client.synthesize_styles_png(ws[:1]), await client.sample_png([1], [2])
            return ws, drawn, png, without, await client.latents([2], 1.0)

    ws, drawn, png, without, z = asyncio.run(asked())
    np.testing.assert_array_equal(ws, w)
    np.testing.assert_array_equal(drawn, images)
    assert (png, without) == (served.synthesize_styles_png(w[:1]), served.sample_png([1], [2]))
    np.testing.assert_array_equal(z, served.latents([2], 1.0))
    all_layers = served.map(Z, Y, 0.5)
    np.testing.assert_allclose(all_layers, np.repeat(all_layers[:, :1], 4, axis=1))


def test_a_cutoff_of_minus_one_is_that_of_the_configuration():
    made = generator(truncation_cutoff=2, num_classes=0)
    expected = made.styles(Z, truncation=0.5).ws
    np.testing.assert_array_equal(made.layer_ws(Z, None, 0.5, -1), expected)
    np.testing.assert_array_equal(made.layer_ws(Z, None, 0.5, np.array([2, -1, 2])), expected)
    whole = generator(num_classes=0)
    np.testing.assert_array_equal(whole.layer_ws(Z, None, 0.5, -1), whole.styles(Z, truncation=0.5).ws)


def test_the_client_says_what_is_wrong_with_styles(served):
    with pytest.raises(ClientError, match=r"a style for each layer.*\(2, 6\)"):
        served.synthesize_styles(np.zeros([2, 6]))
    with pytest.raises(ClientError, match=r"one seed for each of the 2 rows"):
        served.synthesize_styles(np.zeros([2, 4, 6]), [1])
    with pytest.raises(ClientError, match=r"one truncation for each of the 3 rows"):
        served.map(Z, Y, [0.5, 0.5])
    with pytest.raises(ClientError, match=r"at least one row"):
        served.map(Z[:0], Y[:0])
    with pytest.raises(ClientError, match=r"w must have shape|Input w"):
        served.synthesize_styles(np.zeros([1, 5, 6]))


@pytest.mark.slow
def test_an_export_is_validated_by_halves(trained, tmp_path, monkeypatch):
    labels = [{"synset": str(i), "name": str(i)} for i in range(3)]
    exporting.export_generator(trained, {}, str(tmp_path / "good"), labels, {}, batch_sizes=(1,))
    reference = exporting._reference(trained, {}, model_sizes(trained.config.fold(trained, {})))
    reference["images_of_styles"] = reference["images_of_styles"] + 0.1
    monkeypatch.setattr(exporting, "_reference", lambda *unused: reference)
    with pytest.raises(ExportError, match=r"Served images of styles differ"):
        exporting.export_generator(trained, {}, str(tmp_path / "bad"), labels, {}, batch_sizes=(1,))
