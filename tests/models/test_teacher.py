"""A copy that follows slowly, and what a method with one leaves in its files."""

import onnx
import pytest
import torch
from self_distillation import SelfDistillation
from torch import nn

from ae_pipelines.models import MODELS
from ae_pipelines.models.teacher import follow, teacher_of
from ae_pipelines.scoring.onnx import exporting
from ae_pipelines.training.loop import DivergedError, train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


def test_a_teacher_starts_as_a_copy_of_its_own_that_requires_no_gradients():
    student = nn.Linear(3, 2)
    teacher = teacher_of(student)
    assert torch.equal(teacher.weight, student.weight)
    assert teacher.weight.data_ptr() != student.weight.data_ptr()
    assert [p.requires_grad for net in (teacher, student) for p in net.parameters()] == [False, False, True, True]


def test_the_distance_to_a_student_that_stands_shrinks_by_the_momentum_in_each_step():
    student, teacher = nn.Linear(3, 2), teacher_of(nn.Linear(3, 2))
    before = teacher.weight - student.weight
    for _ in range(5):
        follow(teacher, student, 0.8)
    torch.testing.assert_close(teacher.weight - student.weight, 0.8**5 * before)
    assert not teacher.weight.requires_grad
    assert teacher.weight.is_leaf, "no graph grows from step to step"


@pytest.mark.parametrize(("momentum", "like"), [(1.0, "before"), (0.0, "student")])
def test_momentum_1_leaves_a_teacher_as_it_is_and_0_makes_it_the_student(momentum, like):
    student, teacher = nn.Linear(3, 2), teacher_of(nn.Linear(3, 2))
    expected = {"before": teacher.weight.clone(), "student": student.weight}[like]
    follow(teacher, student, momentum)
    assert torch.equal(teacher.weight, expected)


def test_the_statistics_of_a_teachers_batch_norm_are_its_own():
    student, teacher = nn.BatchNorm1d(2), teacher_of(nn.BatchNorm1d(2))
    student(torch.randn(8, 2) + 5)
    follow(teacher, student, 0.0)
    assert not teacher.running_mean.any()


# -- a method with one -----------------------------------------------------------------------------------------


class WithMore(SelfDistillation):
    """Keeps tensors of its own, too."""

    def __init__(self, *given, **options) -> None:
        super().__init__(*given, **options)
        self.register_buffer("centre", torch.zeros(3))
        self.register_buffer("started", torch.tensor(False))

    def after_step(self, done):
        super().after_step(done)
        self.centre += 1
        self.started |= True


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.setitem(MODELS._makers, "with_more", WithMore)
    return Recipe.model_validate(
        {
            "model": {"kind": "with_more", "latent_size": 5, "net": {"kind": "dense", "widths": [16]}},
            "loader": {"batch_size": 128, "corruptions": [{"kind": "gaussian_noise"}]},
            "training": {"epochs": 1, "threads": 1},
        }
    )


def test_an_encoder_holds_nothing_of_teacher_and_method(digits, recipe, tmp_path):
    trained, _ = train(digits, recipe)
    assert trained.module.centre.tolist() == [10.0] * 3
    assert trained.module.started
    trained.part("encoder").save(tmp_path)
    tensors = TrainedModel.load(tmp_path).module.state_dict()
    assert tensors.keys() == {f"encoder.{name}" for name in trained.module.encoder.state_dict()}
    file = onnx.load_from_string(exporting.encoder(exporting.Trial.of(trained, digits)).content)
    weights = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.ndim == 2}
    matrices = [tuple(tensor.dims) for tensor in file.graph.initializer if len(tensor.dims) == 2]
    assert len(matrices) == len(weights)


def test_a_teacher_that_explodes_in_the_last_step_is_noticed(digits, recipe, monkeypatch):
    def explode(model, done):
        if done == 1:
            model.encoder_target[-1][-1].weight.fill_(float("inf"))

    monkeypatch.setattr(WithMore, "after_step", explode)
    with pytest.raises(DivergedError, match=r"encoder_target.*weight is inf"):
        train(digits, recipe)


def test_the_best_weights_are_a_teachers_too(digits, recipe, monkeypatch):
    seen = []
    monkeypatch.setattr(WithMore, "after_step", lambda model, done: seen.append(model.centre.add_(1)[0].item()))
    options = {"epochs": 6, "learning_rate": 0.2, "validation_share": 0.2}
    trained, history = train(digits, recipe.model_copy(update={"training": recipe.training.model_copy(update=options)}))
    best = min(history, key=lambda row: row["loss"])
    assert best is not history[-1], "the test needs a training whose last epoch is not its best"
    assert trained.module.centre[0] == best["epoch"] * len(seen) / 6
