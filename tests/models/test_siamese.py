import numpy as np
import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.siamese import contrastive_loss, one_shot, triplet_loss, verification
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.batches import Batches, Finish

SPEC = SampleSpec(shape=(1, 4, 4), dtype="uint8")
TASK = Task.plain(SPEC, classes=("a", "b", "c", "d"))


def siamese(task=TASK, **options):
    torch.manual_seed(0)
    return ModelChoice(kind="siamese", latent_size=3, net={"kind": "dense", "widths": [8]}, **options).build(task)


def test_contrastive_loss_equals_the_papers_formula_pair_by_pair():
    z, alike, margin = torch.randn(7, 3), torch.tensor([0, 0, 1, 1, 2, 0, 2]), 2.0
    near, far = [], []
    for i in range(7):
        for j in range(i):
            distance = (z[i] - z[j]).norm()
            (near if alike[i] == alike[j] else far).append(
                0.5 * distance**2 if alike[i] == alike[j] else 0.5 * max(0.0, margin - distance) ** 2
            )
    expected = 0.5 * (sum(near) / len(near) + sum(far) / len(far))
    torch.testing.assert_close(contrastive_loss(z, alike, margin), expected)


def test_contrastive_loss_is_0_where_classes_are_points_a_margin_apart():
    z = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    loss = contrastive_loss(z, torch.tensor([0, 0, 1, 1]), margin=1.0)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(z.grad).all(), "samples at one place have no direction to be pushed in"


def test_triplet_loss_equals_torchs_where_there_is_one_choice_only():
    """Of three samples, two of them alike, each of the two is an anchor with one positive and one negative."""
    z = torch.randn(3, 5)
    expected = torch.nn.TripletMarginLoss(margin=0.7)(z[[0, 1]], z[[1, 0]], z[[2, 2]])
    torch.testing.assert_close(triplet_loss(z, torch.tensor([4, 4, 9]), 0.7), expected)


def test_triplet_loss_draws_positives_among_the_alike_and_negatives_among_the_others():
    z = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    for seed in range(20):
        torch.manual_seed(seed)
        assert triplet_loss(z, torch.tensor([0, 0, 1, 1]), 1.0) == 0
        assert triplet_loss(z, torch.tensor([0, 1, 0, 1]), 1.0) > 0


@pytest.mark.parametrize("loss", [contrastive_loss, triplet_loss])
def test_a_batch_without_pairs_costs_nothing(loss):
    z = torch.randn(1, 3, requires_grad=True)
    value = loss(z, torch.tensor([0]), 1.0)
    value.backward()
    assert value == 0


def test_unlabelled_samples_and_unseen_classes_stay_out_of_training():
    model = siamese(unseen_classes=2)
    x = torch.rand(12, 1, 4, 4)
    label = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, -1, -1])
    whole = model._terms(Batch(x, x, torch.arange(12), label))["contrastive"]
    x[6:] = torch.rand(6, 1, 4, 4)
    assert model._terms(Batch(x, x, torch.arange(12), label))["contrastive"] == whole
    x[0] = torch.rand(1, 4, 4)
    assert model._terms(Batch(x, x, torch.arange(12), label))["contrastive"] != whole


def test_without_labels_two_views_of_a_sample_are_alike():
    model = siamese(Task.plain(SPEC), pairs="views")
    x = torch.rand(6, 1, 4, 4)
    shuffled = Batch(x, x, torch.arange(6), second=x.flip(0))
    assert model._terms(Batch(x, x, torch.arange(6), second=x))["contrastive"] < model._terms(shuffled)["contrastive"]


def test_verification_of_separated_classes_is_perfect_and_of_noise_is_chance():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 2000)
    apart = labels[:, None] * 10.0 + random.standard_normal((2000, 3))
    noise = random.standard_normal((2000, 3))
    assert verification(apart, labels) == {"verification_accuracy": 1.0, "verification_auroc": 1.0}
    found = verification(noise, labels)
    assert found["verification_accuracy"] == pytest.approx(0.5, abs=0.02)
    assert found["verification_auroc"] == pytest.approx(0.5, abs=0.02)


def test_one_shot_accuracy_of_separated_classes_is_perfect_and_of_noise_is_chance():
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 500)
    assert one_shot(labels[:, None] * 9.0 + random.random((500, 2)), labels)["one_shot_accuracy"] == 1
    found = one_shot(random.standard_normal((500, 2)), labels)
    assert found["one_shot_accuracy"] == pytest.approx(0.2, abs=0.03)
    assert found["one_shot_ways"] == 5


def test_views_of_one_sample_are_told_from_views_of_two():
    model = siamese(Task.plain(SPEC), pairs="views").eval()
    values = torch.randint(0, 256, (60, 1, 4, 4), dtype=torch.uint8)

    def auroc(corrupt):
        loader = Batches(values, Finish(scale=1 / 255, corrupt=corrupt, second_view=True), batch_size=32, shuffle=False)
        with torch.no_grad():
            return model.measures(loader)["views_auroc"]

    assert auroc(None) == 1
    assert auroc(lambda x, generator: torch.rand(x.shape, generator=generator)) == pytest.approx(0.5, abs=0.15)


def test_what_cannot_be_measured_is_left_out():
    assert verification(np.empty((0, 1)), np.empty(0, int)) == {}
    assert one_shot(np.random.rand(5, 2), np.zeros(5, int)) == {}


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (Task.plain(SPEC), {}, "siamese with model.pairs=labels needs labels of at least two classes"),
        (TASK, {"unseen_classes": 3}, "cannot leave 3 classes unseen: .* two other classes to learn from .there are 4"),
        (TASK, {"unseen_classes": 1, "pairs": "views"}, "needs model.pairs=labels .given 'views'."),
    ],
)
def test_senseless_options_are_refused(task, options, message):
    with pytest.raises(InputError, match=message):
        siamese(task, **options)
