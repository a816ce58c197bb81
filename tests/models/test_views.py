"""Two views that agree, and a decoder beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.agreements import AGREEMENTS
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.evaluation import evaluate
from ae_pipelines.training.loop import train
from ae_pipelines.training.options import LoaderOptions
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trial import tried_out

TASK = Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8"))
BYOL = {"kind": "byol", "predictor_width": 16, "teacher_momentum": 0.5}


def chosen(**options):
    small = {"latent_size": 3, "net": {"kind": "dense", "widths": [8]}, "projector": [6, 5]}
    return ModelChoice(kind="views", **small | options)


def views(**options):
    torch.manual_seed(0)
    return chosen(**options).build(TASK)


def batch():
    first, second, clean = torch.rand(3, 12, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return Batch(first, clean, torch.arange(12), second=second)


def terms(model, of):
    return model.phases()[0].players[0].terms(of)


def test_both_views_are_projected_and_compared():
    model, of = views().eval(), batch()
    first, second = (model.projector(model.encode(x)) for x in (of.input, of.second))
    found = terms(model, of)
    assert [*found] == ["simclr"]
    torch.testing.assert_close(found["simclr"], model._agreement(first, second))


def test_of_more_features_than_latents_the_principal_components_are_latents():
    model, of = views(features=7).eval(), batch()
    assert [*terms(model, of)] == ["simclr"]
    assert model.projector[0].in_features == 7
    with torch.no_grad():
        model.complete(Once(of))
        features, z = model.encoder.net(of.target), model.encode(of.target)
    left, values, _ = torch.linalg.svd(features - features.mean(0), full_matrices=False)
    expected = F.normalize((left * values.sqrt())[:, :3], dim=1)  # components ÷ root of their deviations
    torch.testing.assert_close(z.abs(), expected.abs(), rtol=1e-3, atol=1e-4)


def test_components_that_so_few_samples_do_not_have_stay_zero_for_others_too():
    model, of = views(features=20, latent_size=15).eval(), batch()
    few = of.target[:5]
    with torch.no_grad():
        model.complete(Once(Batch(few, few, torch.arange(5))))
        z = model.encode(of.target)
    assert (z != 0).any(0).tolist() == [True] * 4 + [False] * 11


class Once:
    """A loader of one batch."""

    def __init__(self, batch):
        self.batch, self.batch_size = batch, len(batch.rows)

    def epoch(self, epoch, start=0):
        yield self.batch


def test_views_that_are_smaller_than_samples_are_encoded_by_themselves():
    model, of = views(net={"kind": "conv", "channels": [4, 4]}, reconstruction=1.0), batch()
    model.encoder = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(4, 3))
    small = replace(of, input=of.input[..., :4, :4], second=of.second[..., :4, :4])
    expected = F.mse_loss(model.decode(model.encode(of.target[:6])), of.target[:6])
    torch.testing.assert_close(terms(model.eval(), small)["reconstruction"], expected)


@pytest.mark.parametrize("source", ["sample", "view"])
def test_the_decoder_rebuilds_clean_samples_from_half_of_them_or_from_first_views(source):
    model, of = views(reconstruction=7.0, rebuilt_from=source).eval(), batch()
    found = terms(model, of)
    x, target = (of.target[:6], of.target[:6]) if source == "sample" else (of.input, of.target)
    projections = (model.projector(model.encode(view)) for view in (of.input, of.second))
    expected = [model._agreement(*projections), 7 * F.mse_loss(model.decode(model.encode(x)), target)]
    assert [*found] == ["simclr", "reconstruction"]
    torch.testing.assert_close([*found.values()], expected)


def test_a_view_of_another_shape_is_what_samples_are_rebuilt_from():
    smaller = Task(samples=TASK.samples, input_shape=(1, 4, 4))
    model, of = chosen(reconstruction=1.0).build(smaller).eval(), batch()
    small = replace(of, input=of.input[..., ::2, ::2], second=of.second[..., ::2, ::2])
    expected = F.mse_loss(model.decode(model.encode(small.input)), of.target)
    torch.testing.assert_close(terms(model, small)["reconstruction"], expected)


def test_byol_compares_each_prediction_with_what_the_teacher_makes_of_the_other_view():
    model, of = views(loss=BYOL).eval(), batch()
    for parameter in model.teacher.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))  # so that it is not the student
    student = [model.predictor(model.projector(model.encode(x))) for x in (of.input, of.second)]
    taught = [model.teacher(x) for x in (of.second, of.input)]
    expected = sum((2 - 2 * F.cosine_similarity(*pair)).mean() for pair in zip(student, taught, strict=True))
    torch.testing.assert_close(terms(model, of)["byol"], expected)


def test_byols_teacher_follows_encoder_and_projector_by_the_momentum_of_the_step():
    model = views(loss=BYOL)
    with torch.no_grad():
        for parameter in [*model.encoder.parameters(), *model.projector.parameters()]:
            parameter.add_(1.0)
    before = [p.clone() for p in model.teacher.parameters()]
    model.after_step(0.5)
    moved = [after - old for after, old in zip(model.teacher.parameters(), before, strict=True)]
    assert len(moved) == len([*model.encoder.parameters(), *model.projector.parameters()])
    for step in moved:  # the momentum is 0.75 then
        torch.testing.assert_close(step, torch.full_like(step, 0.25))


def test_batch_norm_of_a_frozen_encoder_is_frozen_in_the_teacher_too():
    torch.manual_seed(0)
    net = {"kind": "dense", "widths": [8], "norm": "batch"}
    model = ModelChoice(kind="views", latent_size=3, net=net, loss=BYOL).build(TASK)
    model.freeze_encoder()
    before = {name: tensor.clone() for name, tensor in model.train().teacher[0].state_dict().items()}
    terms(model, batch())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.teacher[0].state_dict().items())


@pytest.mark.parametrize("kind", AGREEMENTS.kinds())
def test_the_best_weights_are_kept_by_losses_that_tell_them(kind):
    (phase,) = views(loss={"kind": kind}).phases()
    assert phase.judged == (kind != "byol")  # a prediction is easy where the teacher has collapsed


@pytest.mark.parametrize("weight", [None, 1.0])
def test_there_is_a_decoder_only_with_a_weight_of_reconstruction(weight):
    choice = chosen(reconstruction=weight)
    decodes = weight is not None
    assert choice.can("encode")
    assert choice.can("decode") == hasattr(choice.build(TASK), "decode") == decodes
    recipe = Recipe(model=choice)
    if decodes:
        recipe.check_ability("decode", "generate")
    else:
        with pytest.raises(
            InputError, match=r"views has no decoder, so generate cannot run: give .*reconstruction, or"
        ):
            recipe.check_ability("decode", "generate")


@pytest.mark.parametrize(
    ("options", "loader", "words"),
    [
        (
            {},
            {"corruptions": []},
            "views learns from two corrupted views of each sample, but loader.corruptions is empty",
        ),
        ({}, {"batch_size": 1}, "give a loader.batch_size of 2 or more"),
        ({"net": {"kind": "conv", "latent": "map"}}, {}, "views needs latent vectors, but model.net.latent is 'map'"),
        ({"features": 2}, {}, "2 features have no 3 principal components: give model.features of at least"),
        ({"features": 4, "reconstruction": 1.0}, {}, "leave out model.features or model.reconstruction"),
        ({"loss": {"kind": "simclr", "temperature": 0.0}}, {}, "temperature"),
        ({"loss": {"kind": "byol", "temperature": 0.5}}, {}, "temperature"),
    ],
)
def test_what_it_cannot_learn_from_is_refused_before_training(options, loader, words):
    loader = {"batch_size": 8, "corruptions": [{"kind": "masking"}]} | loader
    model = ModelChoice(kind="views", latent_size=3, **options)
    with pytest.raises(InputError, match=words):
        tried_out(model, LoaderOptions.model_validate(loader), TASK, None)


def test_one_latent_tells_views_of_a_sample_from_others_and_rebuilds_it(digits):
    recipe = Recipe.model_validate(
        {
            "model": chosen(
                reconstruction=100.0, latent_size=16, net={"kind": "dense", "widths": [64]}, projector=[32]
            ),
            "loader": {"batch_size": 128, "corruptions": [{"kind": "masking", "share": 0.2}]},
            "training": {"epochs": 15, "threads": 1, "learning_rate": 5e-3, "schedule": "one_cycle"},
        }
    )
    trained, _ = train(digits, recipe)
    values = digits.take(digits.positions("test"))
    clean = digits.spec.as_input(values)
    assert np.square(trained.reconstruct(values) - clean).mean() < 0.7 * clean.var(axis=0).mean()
    assert evaluate(trained, digits, recipe)["views_auroc"] > 0.95
