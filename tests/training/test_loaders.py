"""Which samples are in which batches."""

import numpy as np
import pytest
import torch
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.loaders import batches_of_test_split, loaders, memory_budget
from ae_pipelines.training.options import LoaderOptions
from ae_pipelines.training.recipe import Recipe

CPU = torch.device("cpu")
LABELS = [["a", "b", "c", "d", None][row % 5] for row in range(1000)]
SPLITS = ["test" if row % 4 == 3 else "train" for row in range(1000)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store"), ArraySource(images(1000), labels=LABELS, splits=SPLITS))


def recipe(kind, budget=10**9, batch_size=16, **options):
    return Recipe.model_validate(
        {
            "model": {"kind": kind, "latent_size": 4, **options},
            "loader": {"batch_size": batch_size, "memory_budget": budget},
            "training": {"validation_share": 0.2},
        }
    )


def shown(store, recipe):
    """Rows and labels that training shows within two epochs, and those of validation."""
    model = recipe.model.build(recipe.task(store))
    training, validation = loaders(store, recipe, model, CPU)
    batches = [batch for epoch in (0, 1) for batch in training.epoch(epoch)], list(validation.epoch(0))
    return model, batches


@pytest.mark.parametrize("budget", [10**9, 15_000], ids=["in memory", "streamed"])
def test_a_method_without_labels_sees_every_train_sample_and_no_label(store, budget):
    _, (training, validation) = shown(store, recipe("autoencoder", budget))
    rows = set(torch.cat([batch.rows for batch in training]).tolist())
    assert len(rows) > 560
    assert rows <= set(store.positions("train").tolist())
    assert all(batch.label is None for batch in [*training, *validation])


@pytest.mark.parametrize("budget", [10**9, 15_000], ids=["in memory", "streamed"])
def test_a_siamese_network_sees_labelled_samples_of_its_classes_only(store, budget):
    _, (training, validation) = shown(store, recipe("siamese", budget, unseen_classes=1))
    for batch in [*training, *validation]:
        assert set(batch.label.tolist()) <= {0, 1, 2}
    for batch in training:
        assert [LABELS[row] for row in batch.rows] == ["abc"[number] for number in batch.label]


@pytest.mark.parametrize("budget", [10**9, 15_000], ids=["in memory", "streamed"])
def test_a_conditional_method_sees_unlabelled_samples_too_as_such(store, budget):
    _, (training, validation) = shown(store, recipe("vae", budget, conditional=True))
    assert set(torch.cat([batch.label for batch in training]).tolist()) == {-1, 0, 1, 2, 3}
    values = store.read()
    for batch in validation:
        for target, number in zip(batch.target, batch.label, strict=True):
            (row,) = np.flatnonzero((values == (target * 255).round().numpy()).all(axis=(1, 2, 3)))
            assert LABELS[row] == (None if number < 0 else "abcd"[number])


def test_the_test_split_has_its_labels_whatever_the_method_wants(store):
    plain = recipe("autoencoder")
    model = plain.model.build(plain.task(store))
    batches = list(batches_of_test_split(store, plain, model, CPU).epoch(0))
    rows = store.positions("test")
    numbers = torch.cat([batch.label for batch in batches]).tolist()
    assert [None if number < 0 else "abcd"[number] for number in numbers] == [LABELS[row] for row in rows]


def test_too_few_labels_for_a_batch_are_refused_before_training(store):
    with pytest.raises(InputError, match=r"siamese can learn from 2\d\d of 5\d\d train .* too few for a batch of 300"):
        recipe("siamese", batch_size=300, unseen_classes=2).check_samples(store)


@pytest.mark.parametrize("budget", [10**9, 15_000], ids=["in memory", "streamed"])
def test_with_normal_labels_training_and_validation_see_no_others_and_the_half_product_says_so(store, budget):
    normal = recipe("autoencoder", budget)
    normal = normal.model_copy(update={"loader": normal.loader.model_copy(update={"normal_labels": ("a", "c")})})
    _, (training, validation) = shown(store, normal)
    trained_on = set(torch.cat([batch.rows for batch in training]).tolist())
    held_out = set(torch.cat([batch.rows for batch in validation]).tolist())
    assert {LABELS[row] for row in trained_on | held_out} == {"a", "c"}
    assert not trained_on & held_out
    seen = set(np.flatnonzero(store.seen(normal.learned_from(store))))
    assert trained_on <= seen
    assert not held_out & seen


def test_normal_labels_that_no_train_sample_has_are_refused(store):
    odd = recipe("autoencoder")
    odd = odd.model_copy(update={"loader": odd.loader.model_copy(update={"normal_labels": ("a", "z")})})
    with pytest.raises(InputError, match="normal_labels: no train sample has the label z; there are a, b, c, d"):
        odd.check_samples(store)


def test_half_of_a_gpus_free_memory_counts_unless_a_budget_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**10, 10**11))
    gpu, cpu = torch.device("cuda:0"), torch.device("cpu")
    assert memory_budget(LoaderOptions(), gpu) == 5 * 10**9
    assert memory_budget(LoaderOptions(memory_budget="20MB"), gpu) == 20 * 10**6
    assert memory_budget(LoaderOptions(), cpu) == 10**9
