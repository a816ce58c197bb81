"""What every objective must do, on a tiny model."""

import numpy as np
import pytest
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.comparison.scoreboard.tasks import TASKS
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.models import ModelChoice
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.embedding import latent_block
from ae_pipelines.training.loop import train
from ae_pipelines.tuning.objectives import Judged, built, check_names, offered, pick
from ae_pipelines.tuning.samples import study_samples

METRICS = [
    *("classify/accuracy", "few_labels/error_with_20_labels", "cluster/accuracy", "neighbours/same_class"),
    *("reconstruction/mse", "fit/test/autoencoder/reconstruction", "fit/latent_effective_rank"),
]
NAMES = [*offered(), *METRICS]
CLASSES = 3


@pytest.fixture(scope="module")
def values():
    """Vectors of three classes that lie apart."""
    draw = np.random.default_rng(0)
    centres = 3 * draw.normal(size=(CLASSES, 10))
    return (centres[np.arange(240) % CLASSES] + draw.normal(size=(240, 10))).astype(np.float32)


@pytest.fixture(scope="module")
def labelled(values, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    labels = [f"class {row % CLASSES}" for row in range(len(values))]
    whole = write_store(folder / "whole", ArraySource(values, labels, splits=["train"] * len(values)))
    return study_samples(whole, None, 60, folder / "study")


@pytest.fixture(scope="module")
def unlabelled(values, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled")
    whole = write_store(folder / "whole", ArraySource(values, splits=["train"] * len(values)))
    return study_samples(whole, None, 60, folder / "study")


@pytest.fixture(scope="module")
def small(tiny):
    model = ModelChoice(**tiny.model.model_dump() | {"latent_size": 4})
    return tiny.model_copy(update={"model": model})


@pytest.fixture(scope="module")
def judged(labelled, small):
    trained, _ = train(labelled, small)
    block = latent_block(trained, labelled.read())
    about = labelled.index[["sample_id", "split", "label"]].assign(seen=labelled.seen(small.learned_from(labelled)))
    table = about.assign(**block.errors)
    metadata = {"encoder_sha256": trained.contract.sha256}
    return lambda seed=0: Judged(
        trained, small, labelled, LatentsInMemory(table, block.vectors.copy(), metadata), 1.5, seed
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_finite_numbers_the_same_each_time_and_leaves_latents_as_they_are(name, judged):
    first, second = judged(), judged()
    found = built(name).measures(first)
    assert found
    assert all(type(value) is float and np.isfinite(value) for value in found.values())
    assert built(name).measures(second) == pytest.approx(found, rel=1e-6)
    np.testing.assert_array_equal(first.latents.vectors, second.latents.vectors)
    assert name in found


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    objective = built(name)
    assert objective.name == name
    assert isinstance(objective.higher_is_better, bool)
    assert objective.title
    assert objective.misleads


@pytest.mark.parametrize("name", NAMES)
def test_it_serves_labelled_samples(name, labelled, small):
    assert [*pick([name], labelled, small)] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_it_serves_samples_without_labels_or_refuses_them(name, unlabelled, small):
    wants = name == "classifier" or (name in METRICS and not name.startswith(("fit/", "reconstruction/")))
    if not wants:
        pick([name], unlabelled, small)
        return
    with pytest.raises(InputError, match="label"):
        pick([name], unlabelled, small)


def test_the_draws_of_a_corruption_follow_the_seed(judged):
    one, again, another = (judged(seed).both_ways.corrupted for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != another).any()


def test_reconstruction_is_of_what_judges(judged):
    latents = judged().latents
    test = latents.table["split"] == "test"
    expected = latents.table["reconstruction_error"][test].astype(float).mean()
    assert built("reconstruction").measures(judged()) == {"reconstruction": pytest.approx(expected)}
    assert built("reconstruction/mse").measures(judged())["reconstruction/mse"] == pytest.approx(expected)


def test_auto_takes_the_classifier_where_there_are_labels(labelled, unlabelled, small):
    assert [*pick(["auto"], labelled, small)] == ["classifier"]
    assert [*pick(["auto", "seconds"], unlabelled, small)] == ["overlap_rankme", "seconds"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["overlp"], "Did you mean 'overlap'"),
        ([], "is empty"),
        (["overlap", "overlap"], "more than once"),
        (["clasify/accuracy"], "Did you mean 'classify'"),
        (["classify/acuracy"], "Did you mean 'accuracy'"),
        (["one_class/auroc"], "no metrics of 'one_class'"),
        (["fit/latent_variance"], "not known whether more or less"),
    ],
)
def test_what_there_is_not_is_refused_before_there_are_samples(names, said, small):
    with pytest.raises(InputError, match=said):
        check_names(names, small)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fit/test/autoencoder/reconstructio", "Did you mean 'test/autoencoder/reconstruction'"),
        ("few_labels/error_with_5000_labels", "name fewer labels"),
    ],
)
def test_what_these_samples_do_not_give_is_refused_before_a_trial(name, said, labelled, small):
    with pytest.raises(InputError, match=said):
        pick([name], labelled, small)


@pytest.mark.parametrize(
    ("kind", "name", "half"), [("gan", "overlap", "encoder"), ("views", "reconstruction", "decoder")]
)
def test_a_recipe_that_lacks_a_half_is_refused(kind, name, half, small):
    recipe = small.model_copy(update={"model": ModelChoice(kind=kind)})
    with pytest.raises(InputError, match=f"no {half}"):
        check_names([name], recipe)


def test_metrics_are_those_that_tasks_name():
    assert {name.partition("/")[0] for name in METRICS} - {"fit"} == {*TASKS.kinds()} - {"one_class"}
