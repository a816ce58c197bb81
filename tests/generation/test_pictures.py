"""Arithmetic, traversal, manifold and gaps of models trained on digits."""

import numpy as np
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.generation import generator as generators
from ae_pipelines.generation.arithmetic import arithmetic, changed
from ae_pipelines.generation.gaps import gaps
from ae_pipelines.generation.generated import Generated, generated
from ae_pipelines.generation.generator import CannotShow, prepared
from ae_pipelines.generation.interpolation import interpolation
from ae_pipelines.generation.manifold import manifold
from ae_pipelines.generation.options import GenerateOptions
from ae_pipelines.generation.traversal import traversal
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

NET = {"kind": "dense", "widths": [32]}
MODELS = {
    "plane": {"kind": "autoencoder", "latent_size": 2, "net": NET},
    "vae": {"kind": "vae", "latent_size": 4, "net": NET, "conditional": True},
    "gan": {"kind": "gan", "latent_size": 3, "net": NET, "conditional": True},
}


@pytest.fixture(scope="module")
def made_by(digits, tmp_path_factory):
    """A prepared generator of one of the models above, with options."""
    from ae_pipelines.training.checkpoints import CheckpointFile

    trained = {}

    def made_by(name: str, **options):
        if name not in trained:
            training = {"epochs": 15, "threads": 1, "learning_rate": 5e-3, "patience": None}
            recipe = Recipe.model_validate(
                {"name": name, "model": MODELS[name], "loader": {"batch_size": 64}, "training": training}
            )
            checkpoint = CheckpointFile(tmp_path_factory.mktemp(name) / "checkpoint")
            trained[name], _ = train(digits, recipe, checkpoint)
        return prepared(trained[name], digits, GenerateOptions.model_validate(options))

    return made_by


def test_adding_and_taking_away_the_same_changes_nothing():
    random = np.random.default_rng(0)
    to, group = random.standard_normal((3, 4)), random.standard_normal((5, 4))
    np.testing.assert_allclose(changed(to, group, group), to)
    np.testing.assert_allclose(changed(to, group, group[:0]), to + group.mean(axis=0))


def test_a_less_a_plus_c_is_c_for_labels_and_ids(made_by, digits):
    ids = digits.index["sample_id"].tolist()
    found = arithmetic(made_by("plane", add=["3", ids[5]], subtract=["3", ids[5]], to=[ids[0], "7"]))
    np.testing.assert_allclose(found.after, found.before, atol=1e-4)
    assert not np.allclose(found.before[0], found.before[1], atol=0.1)


def test_the_nearest_real_sample_to_a_sample_is_itself(made_by, digits):
    row = made_by("plane").encoded.rows[3]
    name = digits.index["sample_id"][row]
    found = arithmetic(made_by("plane", add=["1"], subtract=["1"], to=[name]))
    np.testing.assert_allclose(found.nearest[0], digits.take(np.array([row]))[0] / 255, atol=1e-6)
    assert found.labels == [digits.index["label"][row]]


def test_arithmetic_makes_one_label_another_where_nothing_is_asked_for(made_by):
    found = arithmetic(made_by("plane"))
    assert found.said.startswith("z + mean(")
    target = found.said.removeprefix("z + mean(")[0]
    assert found.labels.count(target) >= len(found.labels) / 2


def test_a_strip_begins_and_ends_with_the_two_samples_as_the_model_makes_them(made_by, digits):
    ids = digits.index["sample_id"].tolist()
    maker = made_by("plane", between=[ids[10], ids[20]])
    found = interpolation(maker)
    expected = maker.trained.reconstruct(digits.take(np.array([10, 20])))
    for row in found.rows.values():
        np.testing.assert_allclose(row[[0, -1]], expected, atol=1e-4)
    np.testing.assert_allclose(found.frames[[0, -1]], expected[[0, 0]], atol=1e-4)
    assert found.ends.names[0].startswith(ids[10])


def test_random_ends_have_different_labels(made_by):
    for seed in range(5):
        first, second = interpolation(made_by("plane", seed=seed)).ends.names
        assert first.split()[-1] != second.split()[-1]


def test_the_manifold_decodes_quantiles_the_second_latent_upwards(made_by):
    maker = made_by("plane", grid=5)
    found = manifold(maker)
    corner = np.quantile(maker.encoded.train_vectors, [0.02, 0.98], axis=0).astype(np.float32)
    lower_left, upper_right = maker.decode(np.stack([corner[0], corner[1]]))
    np.testing.assert_allclose(found.pictures[-1, 0], lower_left, atol=1e-5)
    np.testing.assert_allclose(found.pictures[0, -1], upper_right, atol=1e-5)
    assert len(found.points) == len(found.labels) == len(maker.encoded.rows)


def test_a_traversal_moves_one_latent_and_keeps_the_others(made_by):
    maker = made_by("vae")
    found = traversal(maker)
    assert sorted(found.latents) == [0, 1, 2, 3]
    assert (np.diff(found.changes) <= 0).all()
    ends = np.sqrt(np.square(found.pictures[:, -1] - found.pictures[:, 0]).reshape(4, -1).mean(axis=1))
    np.testing.assert_allclose(ends, found.changes, atol=1e-5)


def test_points_beyond_all_samples_are_gaps_and_samples_are_none(made_by, monkeypatch):
    from ae_pipelines.generation import gaps as module

    maker = made_by("plane", grid=10)
    train = maker.encoded.train_vectors
    monkeypatch.setattr(module, "_plane", lambda *_: np.repeat(50 * train[:10], 10, axis=0))
    far = gaps(maker).share
    monkeypatch.setattr(module, "_plane", lambda *_: train[:100])
    assert gaps(maker).share < 0.15 < 0.5 < far


@pytest.mark.parametrize("count", [5, 300])
def test_new_samples_are_the_same_whatever_their_number_and_differ_by_seed(made_by, count):
    first, more = (generated(made_by("vae", count=number)) for number in (count, 1200))
    np.testing.assert_allclose(first.latents, more.latents[:count], atol=1e-5)
    np.testing.assert_allclose(first.samples, more.samples[:count], atol=1)  # of 255: other batches, other kernels
    assert not np.allclose(first.latents, generated(made_by("vae", count=count, seed=1)).latents, atol=0.1)


def test_classes_come_in_turn_and_change_what_is_made(made_by):
    found = generated(made_by("vae", count=6, classes=["3", "0"]))
    assert found.classes == ["3", "0"] * 3
    other = generated(made_by("vae", count=6, classes=["0", "3"]))
    np.testing.assert_array_equal(found.latents, other.latents)
    assert not np.array_equal(found.samples, other.samples)


def test_a_conditional_generator_is_always_given_a_class(made_by):
    assert made_by("gan").default_class == "0"
    assert made_by("gan", classes=["7"]).default_class == "7"
    assert made_by("vae", classes=["7"]).default_class is None


def test_new_samples_come_back_from_disk_whole(made_by, tmp_path):
    from PIL import Image

    made = generated(made_by("vae", count=12))
    made.into(tmp_path / "generated")
    made.into(tmp_path / "generated")
    back = Generated.load(tmp_path / "generated")
    np.testing.assert_array_equal(back.samples, made.samples)
    np.testing.assert_array_equal(back.latents, made.latents)
    assert back.classes == made.classes
    assert sorted(path.name for path in (tmp_path / "generated").glob("*.png"))[-1] == "0011.png"
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "generated/0003.png")), made.samples[3, 0])


def test_where_all_samples_are_too_many_those_compared_with_are_from_all_over_the_store(made_by, monkeypatch):
    from ae_pipelines.generation import gaps as module

    monkeypatch.setattr(module, "MOST_BYTES", 4 * 64 * 10)
    rows = module._some(np.arange(1000), made_by("plane"))
    assert len(rows) == 10
    assert (rows[0], rows[-1]) == (0, 999)


def test_a_gan_has_no_gaps_and_no_arithmetic(made_by):
    for show in (gaps, arithmetic):
        with pytest.raises(CannotShow, match="gan has no encoder, so real samples have no place among its latents"):
            show(made_by("gan"))
    with pytest.raises(CannotShow, match="a plane has two latents, these have 3"):
        manifold(made_by("gan"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vae", {"manifold": True}, "latents of this vae have 4 numbers"),
        ("vae", {"classes": ["ten"]}, "no class is called ten; there are 0, 1, 2"),
        ("plane", {"classes": ["1"]}, "this autoencoder was trained without labels, so it cannot be asked for 1"),
        ("vae", {"between": ["no", "nor"]}, r"generate\.between: no sample is called no, nor; there are, for example,"),
        ("vae", {"add": ["ten"], "to": ["1"]}, "generate.add: no sample or label is called ten"),
        ("vae", {"add": ["1"]}, "need samples to change"),
        ("vae", {"to": ["1"]}, "nothing is added or taken away"),
        ("gan", {"between": ["digits/0000", "digits/0001"]}, r"gan has no encoder.*leave out generate\.between"),
    ],
)
def test_what_cannot_be_made_is_refused(made_by, name, options, message):
    with pytest.raises(InputError, match=message):
        made_by(name, **options)


def test_another_run_without_an_encoder_cannot_lie_beside(made_by, digits, tmp_path):
    made_by("gan").trained.save(tmp_path / "06_models/autoencoder")
    with pytest.raises(InputError, match=r"generate\.beside: the gan in .* has no encoder"):
        generators.prepared_beside(tmp_path, digits, GenerateOptions())
