"""What may be searched, and that everything that cannot be is refused before anything runs."""

import pytest
import yaml
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.words import Words
from ae_pipelines.project.spaces_by_name import default_space
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.space import Among, Space, changed, grid

PARAMETERS = PROJECT / "conf/base/parameters"
NOISE, MASKING = [{"kind": "gaussian_noise"}], [{"kind": "masking"}]
METHOD = {"choices": ["autoencoder", "vae"]}
SIZE = {"low": 4, "high": 64, "log": True}
CORRUPTIONS = {"choices": {"none": [], "noise": NOISE, "masking": MASKING}}


def read(folder):
    files = sorted((PARAMETERS / folder).glob("*.yml"))
    return {path.stem: yaml.safe_load(path.read_text())[folder] for path in files}


RECIPES, SPACES = read("recipes"), read("spaces")


def recipe(name="course", **changes):
    return changed(Recipe.model_validate(RECIPES[name][name] | {"name": name}), changes)


def space(fields, name="mine"):
    return Space.model_validate({"name": name, "fields": fields})


def refusal(fields, of="course"):
    with pytest.raises(InputError) as refused:
        space(fields).check_recipe(recipe(of))
    return str(refused.value)


# -- the spaces that come along --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACES)
def test_a_space_is_called_as_its_file(name):
    assert list(SPACES[name]) == [name]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_space_that_fits_it(name):
    found = default_space(SPACES, RECIPES[name][name] | {"name": name})
    fitting = space(SPACES[found][found], found)
    fitting.check_recipe(recipe(name))
    own = fitting.own(recipe(name))
    assert own
    assert changed(recipe(name), own).model.described() == recipe(name).model.described()


@pytest.mark.parametrize("name", sorted({*RECIPES} & {*SPACES}))
def test_the_space_of_a_recipe_holds_it_as_it_is(name):
    fitting = space(SPACES[name][name])
    for path, value in fitting.own(recipe(name)).items():
        field = fitting.fields[path]
        assert field.name_of(value) if isinstance(field, Among) else field.low <= value <= field.high, path


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "space mine has no fields"),
        (
            {"model.latent_sise": SIZE},
            "space mine: model.latent_sise: model (autoencoder) has no field 'latent_sise'; ",
        ),
        (
            {"modle.latent_size": SIZE},
            "a recipe has no field 'modle'; known: loader, model, name, source, training. Did",
        ),
        (
            {"model.net.width": METHOD},
            "model.net (dense) has no field 'width'; known: activation, dropout, kind, norm,",
        ),
        ({"training.learning_rat": SIZE}, "Did you mean 'learning_rate'?"),
        ({"model.latent_size.0": SIZE}, "model.latent_size is 10, which has no fields, given '0': search model.latent"),
        ({"loader.corruptions.0.share": SIZE}, "loader.corruptions has 0 items, given '0': search loader.corruptions "),
        ({"training.seed": SIZE}, "space mine: training.seed: it cannot be searched: the luckiest seed is no better"),
        ({"model.latent_size": {"low": 0, "high": 8}}, "latent_size: given 0, but input should be greater than 0"),
        ({"model.latent_size": {"low": 1.5, "high": 8}}, "low is 1.5, but it takes whole numbers"),
        ({"model.latent_size": {"low": 1, "high": 2, "step": 0.5}}, "step is 0.5, but it takes whole numbers"),
        (
            {"model.latent_size": {"low": 8, "high": 8}},
            "space mine: model.latent_size: low is 8 and high 8: give a low",
        ),
        ({"model.latent_size": {"low": 8}}, "space mine: model.latent_size: high: not given, but required"),
        ({"model.latent_size": {"low": 8, "hihg": 9}}, "hihg: no such option; known: high, log, low, step, when. Did"),
        ({"model.latent_size": {"low": 4, "high": 9, "step": 2}}, "steps of 2 from 4 do not end at 9"),
        ({"model.latent_size": SIZE | {"step": 2}}, "a step and log are given: give one of them"),
        ({"model.latent_size": 8}, "given 8, expected a range {low: 1, high: 8} or {choices: [1, 8]}"),
        ({"model.latent_size": {"choices": 8}}, "choices: given 8, expected a list of values, or values by name"),
        ({"model.latent_size": {"choices": [8]}}, "choices: given 8, expected two values or more to choose from"),
        ({"model.latent_size": {"choices": [8, 8]}}, "choices: 8 is given twice"),
        ({"model.latent_size": {"choices": {"a": 8, "b": 8}}}, "choices: a and b are the same, 8"),
        ({"model.latent_size": {"choices": [8, "x"]}}, "latent_size: given 'x', but input should be a valid integer"),
        ({"training.learning_rate": {"low": 0, "high": 1, "log": True}}, "low is 0, which has no logarithm"),
        ({"training.learning_rate": {"low": 0, "high": 1}}, "learning_rate: given 0.0, but input should be greater"),
        ({"training.learning_rate": {"low": 1, "high": float("inf")}}, "high: given inf, but input should be a finite"),
        ({"training.schedule": {"low": 0, "high": 1}}, "it is no number (the recipe has constant): give choices, not"),
        ({"training.schedule": {"choices": ["cosine", "sine"]}}, "given 'sine', but input should be 'constant', 'cos"),
        (
            {"model.kind": {"choices": ["vae", "ave"]}},
            "no model called 'ave'; known: autoencoder, gan, joined, patches",
        ),
        ({"loader.corruptions": {"choices": {"a": [], "b": [{"kind": "nois"}]}}}, "b: no corruption called 'nois'"),
        (
            {"model.kind": METHOD, "model.beta": {"low": 1, "high": 2}},
            "model.beta: with model.kind autoencoder: model ",
        ),
        ({"model.latent_size": SIZE, "model.kind": METHOD}, "model.kind: it comes after model.latent_size, which it"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(fields, said):
    assert said in refusal(fields)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"model.kind": "vea"}, "when: model.kind is never vea; known: autoencoder, vae. Did you mean 'vae'?"),
        ({"model.kind": ["vae", "gan"]}, "when: model.kind is never gan; known: autoencoder, vae"),
        ({"model.kin": "vae"}, "when: model.kin: model (vae) has no field 'kin'; known: "),
        ({"model.net.kind": "conf"}, "when: model.net.kind cannot be conf: no net called 'conf'; known: conv, dense"),
        ({"training.weight_decay": 0.1}, "when: training.weight_decay is searched after it: put training.weight_decay"),
        ({"model.latent_size": 4}, "when: model.latent_size is a range: only choices, and what a recipe has, can be"),
        ({"loader.corruptions": "nois"}, "loader.corruptions is never nois; known: none, noise, masking. Did you mean"),
        ({"loader.corruptions.0.kind": "affine"}, "loader.corruptions.0.kind is never affine; known: gaussian_noise,"),
        ({"model.likelihood": "gausian"}, "when: model.likelihood cannot be gausian: "),
        ({"model.kind": "vae", "model.loss.kind": "mse"}, "its conditions never hold together"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(when, said):
    fields = {"model.kind": METHOD, "loader.corruptions": CORRUPTIONS, "model.latent_size": SIZE}
    fields |= {"training.adam_beta1": {"low": 0.5, "high": 0.9, "when": when}}
    assert said in refusal(fields | {"training.weight_decay": {"choices": [0, 0.1]}})


def test_a_space_for_several_recipes_has_fields_that_do_not_count_for_one_of_them():
    fields = {
        "model.latent_size": SIZE,
        "model.net.dropout": {"low": 0, "high": 0.5, "when": {"model.net.kind": "dense"}},
    }
    space(fields).check_recipe(recipe("conv"))
    assert [*space(fields).own(recipe("conv"))] == ["model.latent_size"]
    assert [*space(fields).own(recipe("dense"))] == [*fields]
    fields["model.net.dropout"]["high"] = 2
    assert "model.net.dropout: " in refusal(fields, "conv")
    noise = {"low": 0.1, "high": 1, "when": {"model.likelihood": "gaussian"}}
    space({"model.kind": METHOD, "model.noise_level": noise}).check_recipe(recipe())
    assert "greater than 0" in refusal({"model.kind": METHOD, "model.noise_level": noise | {"low": 0}})
    del fields["model.latent_size"]
    fields["model.net.dropout"]["high"] = 0.5
    assert "no field counts for this recipe" in refusal(fields, "conv")


# -- values ----------------------------------------------------------------------------------------------


def test_a_method_of_another_kind_keeps_what_it_takes_too():
    sparse = changed(recipe("sparse"), {"model.kind": "vae", "model.beta": 2.0})
    assert sparse.model.model_dump() == {
        "kind": "vae", "latent_size": 128, "net": {"kind": "dense", "widths": [512]}, "beta": 2.0
    }  # fmt: skip
    assert changed(recipe(), {"model.kind": "siamese"}).model.model_dump() == {  # whose loss is a word, not a part
        "kind": "siamese", "latent_size": 10, "net": {"kind": "dense", "widths": [250, 100]}
    }  # fmt: skip


def test_values_are_set_in_order_below_parts_and_lists_that_were_set_before():
    values = {"loader.corruptions": NOISE + MASKING, "loader.corruptions.1.share": 0.5, "model.net.kind": "conv"}
    found = changed(recipe(), values | {"model.net.channels.0": 8, "training.epochs": 2})
    assert [corruption.model_dump() for corruption in found.loader.corruptions] == [*NOISE, MASKING[0] | {"share": 0.5}]
    assert found.model.model_dump()["net"] == {"kind": "conv", "channels": [8, 64]}
    assert (found.training.epochs, found.training.learning_rate) == (2, recipe().training.learning_rate)
    with pytest.raises(InputError, match="share: given 3"):
        changed(recipe(), {"loader.corruptions": MASKING, "loader.corruptions.0.share": 3})


def test_own_values_are_those_of_the_recipe_with_its_defaults():
    fields = {
        "model.net.activation": {"choices": ["relu", "gelu"]},
        "loader.corruptions": CORRUPTIONS,
        "loader.corruptions.0.noise_level": {"low": 0, "high": 1, "when": {"loader.corruptions": "noise"}},
        "loader.corruptions.0.share": {"low": 0, "high": 1, "when": {"loader.corruptions.0.kind": "masking"}},
        "training.weight_decay": {"low": 0, "high": 1},
    }
    plain = {"model.net.activation": "relu", "loader.corruptions": [], "training.weight_decay": 0.0}
    assert space(fields).own(recipe()) == plain
    noisy = space(fields).own(recipe("denoising"))
    assert noisy == plain | {"loader.corruptions": NOISE, "loader.corruptions.0.noise_level": 0.2}
    assert space(fields).named(noisy)["loader.corruptions"] == "noise"
    assert space(fields).own(recipe("conv_denoising"))["loader.corruptions"] == [
        {"kind": "gaussian_noise", "noise_level": 0.5, "clip": True}  # clipped: not what the choice stands for
    ]


def test_a_field_counts_where_its_conditions_hold():
    beta = {"low": 1, "high": 2, "when": {"model.kind": ["vae", "gan"], "model.net.kind": "dense"}}
    found = space({"model.kind": METHOD, "model.beta": beta})
    assert found.counts("model.kind", {}, recipe())
    assert found.counts("model.beta", {"model.kind": "vae"}, recipe())
    assert not found.counts("model.beta", {"model.kind": "autoencoder"}, recipe())
    assert not found.counts("model.beta", {"model.kind": "vae"}, recipe("conv"))


def test_only_whole_numbers_count_where_the_field_takes_no_others():
    fields = {"model.kind": METHOD, "model.latent_size": SIZE, "training.learning_rate": {"low": 1, "high": 2}}
    fields["model.warm_up_steps"] = {"low": 0, "high": 9, "when": {"model.kind": "vae"}}
    assert space(fields).whole_numbers(recipe()) == {"model.latent_size", "model.warm_up_steps"}


def test_a_grid_has_every_combination_that_counts():
    fields = {
        "loader.corruptions": CORRUPTIONS,
        "loader.corruptions.0.share": {"low": 0.1, "high": 0.3, "step": 0.1, "when": {"loader.corruptions": "masking"}},
        "model.latent_size": {"low": 4, "high": 8, "step": 4},
    }
    named = [space(fields).titles(values) for values in grid(space(fields), recipe())]
    assert [" · ".join(titles) for titles in named] == [
        f"{corruption} · latent_size {size}"
        for corruption in ["corruptions none", "corruptions noise"]
        + [f"corruptions masking · share {share}" for share in (0.1, 0.2, 0.3)]
        for size in (4, 8)
    ]
    assert all(isinstance(values["model.latent_size"], int) for values in grid(space(fields), recipe()))
    with pytest.raises(InputError, match="model.latent_size: a grid needs to know which values"):
        grid(space({"model.latent_size": SIZE}), recipe())
    with pytest.raises(InputError, match="up to 1,000 combinations, at most 200 are allowed"):
        grid(space({"model.latent_size": {"low": 1, "high": 1000, "step": 1}}), recipe())


def test_choices_that_were_typed_are_called_by_their_text():
    typed = space({"loader.binarise": {"choices": [Words("true"), Words("false")]}}).fields["loader.binarise"]
    assert typed.choices == {"true": True, "false": False}
    listed = space({"model.net.widths": {"choices": [[], [250, 100]]}, "training.patience": {"choices": [None, 3]}})
    assert [[*field.choices] for field in listed.fields.values()] == [["none", "250-100"], ["none", "3"]]
    assert listed.fields["training.patience"].name_of(True) is None


# -- options ---------------------------------------------------------------------------------------------


def test_a_method_that_is_searched_must_be_one_that_the_objective_can_judge():
    options = TuneOptions(space=space({"model.kind": {"choices": ["autoencoder", "gan"]}}))
    with pytest.raises(InputError, match="gan has no encoder"):
        options.check_recipe(recipe())
    with pytest.raises(InputError, match="tune has no search space: name a recipe"):
        TuneOptions().check_recipe(recipe())
    TuneOptions(kind="learning_rate").check_recipe(recipe())
    with pytest.raises(InputError, match="a grid needs to know which values"):
        TuneOptions(sampler="grid", space=space({"model.latent_size": SIZE})).check_recipe(recipe())
