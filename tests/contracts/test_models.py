"""What every registered method must do, with every registered net."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from making import ArraySource
from self_distillation import SelfDistillation
from small_architecture import SMALL
from torch import nn
from torch.nn.utils import parameters_to_vector

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, ModelChoice, moving
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CORRUPTIONS, CorruptionChoice
from ae_pipelines.models.losses import LOSSES
from ae_pipelines.models.method import Method, of_half
from ae_pipelines.models.nets import NETS
from ae_pipelines.models.penalties import PENALTIES, PenaltyChoice
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import loop
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.fastest import laid_out
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

SPEC = SampleSpec(shape=(1, 9, 7), dtype="uint8")
TASK = Task.plain(SPEC, classes=("a", "b", "c"))
FROM_TESTS = {"self_distillation": SelfDistillation}
"""Methods that show what the package's own do not: here, one with a teacher."""
FEW = {"centroids": 20}
NEAR = {"kind": "neighbourhood", "weight": 0.01, "components": 3, "neighbours": 5}
PENALTY = {kind: PenaltyChoice(kind=kind, weight=0.01).build() for kind in PENALTIES.kinds()}
PRICED = [{"kind": kind, "weight": 0.01} for kind, penalty in PENALTY.items() if penalty.layout is None]
AT_LEAST: dict[str, dict] = {
    # options without a default
    "joined": {
        "parts": [
            {"kind": "autoencoder", "latent_size": 3, "net": {"kind": "dense", "widths": [16]}},
            {"kind": "patches", "latent_size": 2, "projection": "invariant", **FEW},
        ]
    },
}
VARIANTS: dict[str, list[dict]] = {
    # besides the defaults
    "autoencoder": [
        {"latent_activation": "sigmoid", "penalties": PRICED},
        {"output": "linear", "penalties": [NEAR]},
    ],
    "gan": [{"conditional": True}],
    "joined": [AT_LEAST["joined"] | {"rebuilt_by": 0}],
    "patches": [{"projection": "invariant"}],
    "pretrained": [{"fine_tune": {"kind": "simclr"}}],
    "restorer": [{"local": True, "halvings": 3, "width": 16}],
    "siamese": [{"loss": "triplet"}, {"pairs": "views"}],
    "stacked": [{"layer_corruptions": [{"kind": "masking"}]}],
    "views": [
        {"loss": {"kind": "vicreg"}, "reconstruction": 10.0},
        {
            "loss": {"kind": "byol", "predictor_width": 64, "teacher_momentum": 0.9},
            "projector": [64, 32],
            "features": 40,
        },
    ],
    "vae": [{"conditional": True}, {"likelihood": "gaussian"}, {"warm_up_steps": 10}],
}

WHATEVER_THE_NET = {"views"}
"""Methods that are tried with one net only, since they do nothing with it but what others do, too."""
DEEP = {"resnet": {"widths": [4], "head": 6}}
"""Nets whose every step takes its time, with options that make them small; they meet one method, as it is. All else
that is asked of them is asked in `test_nets.py`."""


def nets_of(kind) -> list[str]:
    if "net" not in MODELS.options(kind).model_fields:
        return ["its own net"]
    if kind in WHATEVER_THE_NET:
        return ["dense"]
    return [net for net in NETS.kinds() if net not in DEEP or kind == "autoencoder"]


def options_of(kind, net) -> list[dict]:
    return [AT_LEAST.get(kind, {}), *([] if net in DEEP else VARIANTS.get(kind, []))]


@contextmanager
def methods_of_tests():
    """Registered as if they were files of the package."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, maker in FROM_TESTS.items():
            patch.setitem(MODELS._makers, kind, maker)
        yield


@pytest.fixture(scope="module", autouse=True)
def registered():
    with methods_of_tests():
        yield


with methods_of_tests():
    MAKERS = {kind: MODELS.maker(kind) for kind in MODELS.kinds()}
    ALL = [(kind, net, options) for kind in MAKERS for net in nets_of(kind) for options in options_of(kind, net)]


def name(case) -> str:
    kind, net, options = case
    return "-".join([kind, net, *(f"{key}" for key in options if options is not AT_LEAST.get(kind))])


def choice(case) -> ModelChoice:
    kind, net, options = case
    common = {"net": {"kind": net, **DEEP.get(net, {})}, "latent_size": 5, **FEW, **SMALL}
    known = MODELS.options(kind).model_fields
    return ModelChoice(kind=kind, **{key: value for key, value in common.items() if key in known}, **options)


def built(case, seed=0):
    torch.manual_seed(seed)
    return choice(case).build(TASK)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A third of them: six steps an epoch."""
    (block,) = Digits().blocks()
    return write_store(tmp_path_factory.mktemp("some_digits"), ArraySource(block.values[:600], block.labels[:600]))


@pytest.fixture(params=ALL, ids=map(name, ALL))
def case(request):
    return request.param


with methods_of_tests():
    CHOICES = [choice(case) for case in ALL]  # once: choosing takes its time


def those_that(ability):
    """The cases of methods that encode, decode or restore."""
    with methods_of_tests():
        able = [case for case, chosen in zip(ALL, CHOICES, strict=True) if chosen.can(ability)]
    return pytest.mark.parametrize("case", able, ids=map(name, able))


TAUGHT = [case for case in ALL if MAKERS[case[0]].after_step is not Method.after_step]
taught = pytest.mark.parametrize("case", TAUGHT, ids=map(name, TAUGHT))


@pytest.fixture
def model(case):
    return built(case)


def batch_for(model):
    """What it learns from: the samples themselves, or noisy ones if there is nothing else to learn."""
    random = torch.Generator().manual_seed(1)
    x, second = torch.rand(2, 16, *SPEC.shape, generator=random).pow(4)  # mostly dark, so there is much to learn
    noise = 0.2 * torch.randn(x.shape, generator=random) * model.undoes_corruptions
    return Batch(x + noise, x, torch.arange(16), torch.arange(16) % 3, second, step=5)


@pytest.fixture
def batch(model):
    return batch_for(model)


def weights_of(model):
    """All that it has learned, or starts with; a method that learns without gradients has no parameters."""
    return torch.cat([tensor.flatten().float() for tensor in model.state_dict().values()])


def players(model):
    return [player for phase in model.phases() for player in phase.players]


def test_the_same_seed_makes_the_same_weights(case):
    first, again, other = (weights_of(built(case, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_player_moves_its_own_parameters_and_no_others(model, batch):
    for player in players(model):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimiser = torch.optim.Adam(player.parameters, 1e-2)
        for _ in range(2):  # a residual block starts as the identity: its first layer moves after its last one
            optimiser.zero_grad()
            sum(player.terms(batch).values()).backward(inputs=player.parameters)
            optimiser.step()
        own = {id(p) for p in player.parameters}
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, before[name]) != (id(parameter) in own), name


def of_no_player(model):
    """Parameters of a teacher, by name."""
    moved = {id(parameter) for player in players(model) for parameter in player.parameters}
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) not in moved}


def test_every_parameter_belongs_to_a_player_or_requires_no_gradients(model):
    forgotten = [name for name, parameter in of_no_player(model).items() if parameter.requires_grad]
    assert not forgotten, "give it to a player, or make it a teacher's by teacher_of"


@taught
def test_a_teacher_is_given_no_gradients_and_moves_after_a_step_alone(case, digits, monkeypatch):
    maker, last, steps = MAKERS[case[0]], {}, []
    follow = maker.after_step

    def after_step(model, done):
        teacher = of_no_player(model)
        assert all(torch.equal(tensor, last.get(name, tensor)) for name, tensor in teacher.items()), "moved before"
        assert all(tensor.grad is None for tensor in teacher.values())
        assert not torch.is_grad_enabled()
        follow(model, done)
        last.update({name: tensor.clone() for name, tensor in teacher.items()})
        steps.append(done)

    monkeypatch.setattr(maker, "after_step", after_step)
    trained, _ = train(digits, recipe_of(case, validation_share=0))
    assert last.keys() == of_no_player(trained.module).keys()
    assert all(torch.equal(tensor, last[name]) for name, tensor in of_no_player(trained.module).items())
    assert steps[-1] == 1


@taught
def test_a_teacher_that_starts_as_the_encoders_copy_is_one_of_a_frozen_initial_encoder(case, digits, tmp_path):
    fresh = built(case)
    own = of_half(fresh.state_dict(), "encoder")
    teacher = of_no_player(fresh)
    # What starts at one value, as norms do, is like any other that does.
    teacher = {name: tensor for name, tensor in teacher.items() if tensor.unique().numel() > 1}
    copies = [(copy, name) for copy in teacher for name in own if torch.equal(teacher[copy], own[name])]
    earlier = train(digits, recipe_of(case, epochs=1))[0].part("encoder")
    earlier.save(tmp_path)
    start = {"initial_encoder": str(tmp_path), "freeze_encoder": True}
    later = train(digits, recipe_of(case, epochs=1, **start))[0].module.state_dict()
    assert all(torch.equal(later[name], tensor) for name, tensor in earlier.module.state_dict().items())
    assert all(torch.equal(later[copy], later[name]) for copy, name in copies), "see Method.take_encoder"


@those_that("encode")
def test_no_player_moves_a_frozen_encoder(model, batch):
    model.freeze_encoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for player in (player for phase in moving(model.phases()) for player in phase.players):
        sum(player.terms(batch).values()).backward(inputs=player.parameters)
        torch.optim.SGD(player.parameters, lr=0.1).step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(before[name], tensor)}
    assert not of_half(dict.fromkeys(moved), "encoder")
    assert bool(moved) == any(parameter.requires_grad for parameter in model.parameters())


def test_each_player_lowers_its_own_loss(model, batch):
    for player in players(model):
        optimiser = torch.optim.Adam(player.parameters, 3e-3)
        losses = []
        while len(losses) < 60 and not is_lowered(losses):  # most need a few steps
            loss = sum(player.terms(batch).values())
            optimiser.zero_grad()
            loss.backward(inputs=player.parameters)
            optimiser.step()
            losses.append(loss.item())
        assert is_lowered(losses)


def is_lowered(losses):
    return len(losses) >= 10 and np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_loss_terms_are_scalars_with_names(model, batch):
    for player in players(model):
        terms = player.terms(batch)
        assert terms
        assert all(isinstance(name, str) and value.ndim == 0 for name, value in terms.items())


def test_evaluation_draws_the_same_terms_from_the_same_seed(model, batch):
    model.eval()
    for player in players(model):
        first, again = ([torch.manual_seed(3), player.terms(batch)][1] for _ in range(2))
        assert first == again


@those_that("encode")
def test_encoding_is_deterministic_and_of_the_promised_size(model, batch):
    model.eval()
    z = model.encode(batch.input)
    assert z.shape == (16, model.latent_size) == (16, 5)
    assert torch.equal(z, model.encode(batch.input))


@those_that("encode")
def test_permuting_samples_permutes_latents(model, batch):
    model.eval()
    order = torch.randperm(16)
    torch.testing.assert_close(model.encode(batch.input[order]), model.encode(batch.input)[order], atol=1e-5, rtol=1e-4)


@those_that("decode")
def test_decoded_images_lie_between_0_and_1(model):
    x = model.eval().decode(100 * torch.randn(8, 5))
    assert x.shape == (8, *SPEC.shape)
    assert 0 <= x.min() <= x.max() <= 1


@those_that("restore")
def test_restored_images_lie_between_0_and_1_and_have_their_own_size(model):
    for height, width in [(9, 7), (1, 1), (40, 23), (64, 64)]:
        x = model.eval().restore(3 * torch.randn(2, 1, height, width))
        assert x.shape == (2, 1, height, width)
        assert 0 <= x.min() <= x.max() <= 1


@those_that("restore")
def test_permuting_images_permutes_restored_ones(model, batch):
    order = torch.randperm(16)
    restored = model.eval().restore(batch.input)
    torch.testing.assert_close(model.restore(batch.input[order]), restored[order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [kind for kind, maker in MAKERS.items() if hasattr(maker, "decode")])
def test_unbounded_data_are_decoded_without_bounds(kind):
    options = {"likelihood": "gaussian"} if kind == "vae" else {}
    task = Task.plain(SampleSpec(shape=(4,), dtype="float32"))
    model = ModelChoice(kind=kind, latent_size=3, **options).build(task).eval()
    assert model.decode(1000 * torch.randn(8, 3)).abs().max() > 1


def test_bfloat16_terms_are_near_float32(model, batch):
    for player in players(model):
        torch.manual_seed(0)
        full = player.terms(batch)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            half = player.terms(batch)
        for name, value in full.items():
            assert half[name].item() == pytest.approx(value.item(), rel=0.02, abs=1e-3), name


def test_gradients_do_not_depend_on_the_memory_format(case, batch):
    convolutions = [part for part in built(case).modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    if not convolutions:
        pytest.skip("without convolutions nothing lies otherwise")
    found = []
    for memory_format in ("contiguous", "channels_last"):
        model = built(case)
        with laid_out(model, memory_format):
            for player in players(model):
                torch.manual_seed(0)
                sum(player.terms(batch).values()).backward(inputs=player.parameters)
        assert all(parameter.is_contiguous() for parameter in model.parameters())
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    plain, other = found
    assert plain.keys() == other.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(other[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max() + 1))


def recipe_of(case, **training) -> Recipe:
    """With what a probe may choose, which must not change what is promised."""
    corruptions = [{"kind": "gaussian_noise", "noise_level": 0.2}]
    return Recipe.model_validate(
        {
            "model": choice(case).model_dump(),
            "loader": {"batch_size": 64, "corruptions": corruptions},
            "training": {"epochs": 2, "threads": 1, "memory_format": "channels_last", "learning_rate": 1e-3} | training,
        }
    )


def test_a_saved_model_is_the_same_when_loaded(case, digits, tmp_path):
    trained, _ = train(digits, recipe_of(case, epochs=1))
    trained.save(tmp_path)
    loaded = TrainedModel.load(tmp_path)
    assert loaded.contract == trained.contract
    own = trained.module.state_dict()
    assert own.keys() == loaded.module.state_dict().keys()
    assert all(torch.equal(value, own[key]) for key, value in loaded.module.state_dict().items())
    values = digits.read()[:50]
    if hasattr(trained.module, "encode"):
        encoder = trained.part("encoder")
        assert encoder.module.state_dict().keys() == of_half(own, "encoder").keys()
        encoder.save(tmp_path / "encoder")
        for half in (loaded, encoder, TrainedModel.load(tmp_path / "encoder")):
            np.testing.assert_array_equal(half.encode(values), trained.encode(values))
    if hasattr(trained.module, "decode"):
        latents = np.random.default_rng(0).standard_normal((9, 5))
        for half in (loaded, trained.part("decoder")):
            np.testing.assert_array_equal(half.decode(latents), trained.decode(latents))
    if trained.restores:
        corrupted = trained.corrupted(values)
        np.testing.assert_array_equal(loaded.restore(corrupted), trained.restore(corrupted))


class Stop(Exception):
    """Stands for a process that dies."""


def test_an_interrupted_training_ends_bitwise_as_an_undisturbed_one(case, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECK_EVERY", 4)
    recipe = recipe_of(case, checkpoint_seconds=0.0)
    expected, expected_history = train(digits, recipe)
    has_phases = bool(expected.module.phases())
    save = CheckpointFile.save

    def save_and_die(self, tensors, state):
        save(self, tensors, state)
        at = state.get("position")  # there are other files, of a layout and of what is learned without gradients
        if at is None:
            stops = self.path.suffix == ".complete" and not has_phases
        else:
            stops = (at["epoch"], at["step"]) == (1, 4)
        if stops:
            raise Stop

    checkpoint = CheckpointFile(tmp_path / "c")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(CheckpointFile, "save", save_and_die)
        train(digits, recipe, checkpoint)
    resumed, history = train(digits, recipe, checkpoint)
    assert history == expected_history
    again = resumed.module.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in expected.module.state_dict().items())


# -- parts that do nothing leave the plain model --------------------------------------------------------------


def after_an_epoch(digits, model, corruptions=()):
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "autoencoder", "latent_size": 5, "net": {"kind": "dense", "widths": [32]}} | model,
            "loader": {"batch_size": 128, "corruptions": list(corruptions)},
            "training": {"epochs": 1, "threads": 1},
        }
    )
    return parameters_to_vector(train(digits, recipe)[0].module.parameters())


def alike(weights, others):
    """Up to rounding: gradients of two graphs are added in another order."""
    return torch.allclose(weights, others, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "penalty"), PENALTY.items(), ids=PENALTY)
def test_a_penalty_of_weight_zero_equals_the_plain_model(digits, kind, penalty):
    plain = {"latent_activation": "sigmoid"} if penalty.needs_unit_latents else {}
    plain |= {"latent_size": penalty.layout.components} if penalty.layout else {}
    without = after_an_epoch(digits, plain)
    nothing, some = (
        after_an_epoch(digits, plain | {"penalties": [{"kind": kind, "weight": weight}]}) for weight in (0.0, 1.0)
    )
    assert alike(nothing, without)
    assert not alike(some, without)


def test_noise_of_level_zero_equals_the_plain_model(digits):
    without = after_an_epoch(digits, {})
    assert alike(after_an_epoch(digits, {}, [{"kind": "gaussian_noise", "noise_level": 0}]), without)
    assert not alike(after_an_epoch(digits, {}, [{"kind": "gaussian_noise", "noise_level": 0.1}]), without)


@pytest.mark.parametrize("kind", LOSSES.kinds())
def test_every_loss_trains_an_autoencoder(kind):
    options = {"losses": [{"kind": "mse"}, {"kind": "l1"}], "weights": [1.0, 0.5]} if kind == "mix" else {}
    torch.manual_seed(0)
    model = ModelChoice(kind="autoencoder", latent_size=5, loss={"kind": kind, **options}).build(TASK)
    test_each_player_lowers_its_own_loss(model, batch_for(model))


COLOUR = SampleSpec(shape=(3, 9, 7), dtype="uint8")


def takes_colour_images(kind):
    try:
        CorruptionChoice(kind=kind).build().corrupted_spec(COLOUR)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("kind", [*filter(takes_colour_images, CORRUPTIONS.kinds())])
def test_every_corruption_of_images_works_with_every_net(kind):
    spec = COLOUR
    corruption = CorruptionChoice(kind=kind).build()
    batch = next(
        Batches(
            torch.randint(0, 255, (8, *spec.shape), dtype=torch.uint8),
            Finish(scale=1 / 255, corrupt=corruption),
            batch_size=8,
        ).epoch(0)
    )
    task = Task(samples=spec, input_shape=corruption.corrupted_spec(spec).shape)
    nets = [{"kind": net} for net in NETS.kinds()] + [{"kind": "conv", "latent": "map"}]
    for net in nets:
        model = ModelChoice(kind="autoencoder", net=net, latent_size=5).build(task)
        terms = players(model)[0].terms(batch)
        assert torch.isfinite(terms["reconstruction"])
        assert model.decode(model.encode(batch.input)).shape == batch.target.shape
