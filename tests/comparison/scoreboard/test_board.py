"""Recipes compared with each other and with what costs nothing."""

import json

import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison.scoreboard import board
from ae_pipelines.comparison.scoreboard.board import ScoreboardOptions
from ae_pipelines.comparison.scoreboard.encoders import Untrained
from ae_pipelines.plots import scoreboard as plots
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.recipe import Recipe

TASKS = {
    "reconstruction": {"kind": "reconstruction"},
    "kmeans": {"kind": "cluster"},
    "unseen": {"kind": "cluster", "by": {"kind": "kmeans", "fit_on": "train"}},
    "classifier": {"kind": "classify"},
    "few_labels": {"kind": "few_labels", "by": {"kind": "label_spreading", "few_labels": [50], "draws": 2}},
    "neighbours": {"kind": "neighbours"},
}


@pytest.fixture(scope="module", autouse=True)
def small_dictionaries():
    """Patches stand beside each recipe, here quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ae_pipelines.comparison.untrained.CENTROIDS", 16)
        yield


@pytest.fixture
def options(recipe):
    def options(**given):
        plain = recipe.model_dump(mode="json")
        return ScoreboardOptions.model_validate({"recipes": {"small": {"recipe": plain}}, "tasks": TASKS} | given)

    return options


@pytest.fixture(scope="module")
def whole(digits, recipe, tmp_path_factory):
    """A board of two seeds and the folder it was made in."""
    plain = {"recipes": {"small": {"recipe": recipe.model_dump(mode="json")}}, "tasks": TASKS, "seeds": [0, 1]}
    folder = tmp_path_factory.mktemp("board")
    options = ScoreboardOptions.model_validate(plain)
    return board.scores(digits, options, folder), folder, options


def value(table, encoder, task):
    return table[(table["encoder"] == encoder) & (table["task"] == task)].iloc[0]


def test_controls_stand_beside_a_recipe_at_every_task(whole):
    table, _, _ = whole
    assert list(dict.fromkeys(table["encoder"])) == [
        "small",
        "raw values",
        "PCA, d = 8",
        "patches, d = 8",
        "small, untrained",
    ]
    assert table.groupby("encoder")["control"].first().to_dict() == {
        "small": False,
        "raw values": True,
        "PCA, d = 8": True,
        "patches, d = 8": True,
        "small, untrained": True,
    }
    for name in TASKS.keys() - {"reconstruction"}:
        assert set(table[table["task"] == name]["encoder"]) == set(table["encoder"])
    assert "patches, d = 8" not in set(table[table["task"] == "reconstruction"]["encoder"]), "it has no decoder"
    assert value(table, "small", "reconstruction")["mean"] < value(table, "small, untrained", "reconstruction")["mean"]
    assert value(table, "small", "classifier")["mean"] > 0.85


def test_each_number_says_by_how_many_samples_it_was_judged(whole, digits):
    table, _, _ = whole
    test = len(digits.positions("test"))
    assert value(table, "small", "reconstruction")["rows"] == test
    assert value(table, "small", "classifier")["rows"] == test, "all digits have labels"
    assert value(table, "small", "kmeans")["rows"] == len(digits)
    assert value(table, "small", "unseen")["rows"] == test


def test_the_best_control_of_each_task_is_marked(whole):
    table, _, _ = whole
    best = table[table["best_control"]]
    assert best["control"].all()
    assert sorted(zip(best["task"], best["metric"], strict=True)) == sorted(
        set(zip(table["task"], table["metric"], strict=True))
    )
    controls = table[table["control"]].groupby(["task", "metric"])["mean"]
    of_each = best.set_index(["task", "metric"])["mean"]
    assert of_each["classifier", "accuracy"] == controls.max()["classifier", "accuracy"]
    assert of_each["reconstruction", "mse"] == controls.min()["reconstruction", "mse"]
    assert of_each["few_labels", "error_with_50_labels"] == controls.min()["few_labels", "error_with_50_labels"]


def test_scores_are_means_over_seeds_and_only_what_is_trained_takes_time(whole):
    table, folder, _ = whole
    kept = [json.loads((folder / f"seed-{seed}/small/kmeans.json").read_text()) for seed in (0, 1)]
    accuracies = [one["metrics"]["accuracy"] for one in kept]
    row = value(table, "small", "kmeans")
    assert row["mean"] == pytest.approx(np.mean(accuracies))
    assert row["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert row["seeds"] == 2
    assert row["seconds"] > 0
    assert np.isnan(value(table, "raw values", "kmeans")["seconds"])


def test_controls_may_have_fewer_seeds(digits, options, tmp_path):
    only = options(tasks={"neighbours": TASKS["neighbours"]}, seeds=[0, 1], control_seeds=[1])
    table = board.scores(digits, only, tmp_path).set_index("encoder")["seeds"]
    assert table.to_dict() == {"small": 2, "raw values": 1, "PCA, d = 8": 1, "patches, d = 8": 1, "small, untrained": 1}


def test_vectors_of_maps_are_compared_with_as_many_components(recipe, options, tmp_path, digits):
    net = {"kind": "conv", "channels": [4, 8], "latent": "map"}
    model = {"kind": "autoencoder", "latent_size": 6, "vector_size": 9, "net": net}
    of_maps = Recipe.model_validate(recipe.model_dump() | {"model": model})
    assert board._vector_size(of_maps.model.check()) == 9
    stream = Untrained("untrained", of_maps).stream(digits, 0, (), tmp_path, NO_RUN)
    assert next(iter(stream.blocks)).vectors.shape[1] == 9


def test_a_umap_is_compared_with_one_of_fifty_components_too(options, tmp_path, digits):
    tasks = {"groups": {"kind": "cluster", "by": {"kind": "umap_gaussian_mixture"}}}
    encoders = {cell.encoder.name for cell in board._cells(digits, options(tasks=tasks), tmp_path)}
    assert encoders == {"small", "raw values", "PCA, d = 8", "PCA, d = 50", "patches, d = 8", "small, untrained"}


def test_what_looks_at_test_samples_is_marked_and_the_rest_is_of_unseen_ones(whole):
    table, _, _ = whole
    assert (table["transductive"] == table["task"].isin(["kmeans", "few_labels"])).all()
    assert set(table[table["task"] == "unseen"]["metric"]) == {"unseen_accuracy"}


def test_what_is_finished_is_not_done_again_and_what_is_missing_is(whole, digits, monkeypatch):
    table, folder, options = whole
    gone = folder / "seed-1/small/kmeans.json"
    gone.unlink()
    monkeypatch.setattr("ae_pipelines.training.loop.train", None)
    again = board.scores(digits, options, folder)
    assert gone.exists()
    assert board.plain(again) == board.plain(table)


def test_another_recipe_under_the_same_name_is_measured_afresh(whole, digits, options):
    table, folder, _ = whole
    plain = whole[2].recipes["small"].recipe.model_dump(mode="json")
    plain["training"]["epochs"] = 1
    other = options(recipes={"small": {"recipe": plain, "tasks": ["reconstruction"]}}, controls=False)
    found = board.scores(digits, other, folder)
    assert list(found["task"]) == ["reconstruction"]
    assert found["mean"].iloc[0] > 1.05 * value(table, "small", "reconstruction")["mean"]


def test_each_encoder_and_seed_is_a_part_of_the_run(digits, options, tmp_path):
    from contextlib import contextmanager

    heard = {}

    class Part(Run):
        def __init__(self, name):
            self.id = name

        def report(self, metrics, step):
            heard[self.id][1].update(metrics)

    class Whole(Run):
        @contextmanager
        def part(self, name, parameters):
            heard[name] = (parameters, {})
            yield Part(name)

    only = options(tasks={"kmeans": TASKS["kmeans"]}, controls=False)
    table = board.scores(digits, only, tmp_path, Whole())
    assert list(heard) == ["small · seed 0"]
    parameters, metrics = heard["small · seed 0"]
    assert parameters == {"encoder": "small", "seed": 0}
    assert metrics["kmeans/accuracy"] == value(table, "small", "kmeans")["mean"]
    assert any(name.startswith("fit/train/") for name in metrics), "training reports to its own part"


def test_one_class_trains_once_for_each_class_on_that_class_alone(digits, recipe, tmp_path):
    plain = recipe.model_dump(mode="json")
    plain["loader"]["batch_size"] = 16
    given = {"recipes": {"small": {"recipe": plain}}, "tasks": {"odd": {"kind": "one_class"}}}
    table = board.scores(digits, ScoreboardOptions.model_validate(given), tmp_path)
    assert value(table, "small", "odd")["metric"] == "auroc"
    assert value(table, "small", "odd")["mean"] > 0.85
    each = table[(table["encoder"] == "small") & table["metric"].str.startswith("auroc_of_")]
    assert len(each) == 10
    assert value(table, "small", "odd")["mean"] == pytest.approx(each["mean"].mean())
    assert set(table["encoder"]) == {"small", "PCA, d = 8", "patches, d = 8", "small, untrained"}, (
        "raw values cannot learn"
    )


def test_one_recipe_may_stand_on_what_another_made_and_follows_it(digits, recipe, options, tmp_path):
    first = recipe.model_dump(mode="json")
    penalty = {"kind": "neighbourhood", "weight": 1.0, "components": 4, "latents": "{beside}/first/latents.parquet"}
    second = first | {"model": first["model"] | {"penalties": [penalty]}}

    def board_of(epochs):
        base = first | {"training": first["training"] | {"epochs": epochs}}
        both = {"first": {"recipe": base}, "second": {"recipe": second}}
        only = options(recipes=both, tasks={"mse": TASKS["reconstruction"]}, controls=False, seeds=[3])
        return board.scores(digits, only, tmp_path).set_index("encoder")["mean"]

    table = board_of(epochs=5)
    assert list(table.index) == ["first", "second"]
    assert board_of(epochs=1)["second"] != table["second"]
    both = {"second": {"recipe": second}, "first": {"recipe": first}}
    with pytest.raises(InputError, match="second uses the latents of first, which does not come before it"):
        options(recipes=both).check()


def test_one_recipe_may_start_from_the_frozen_encoder_of_another_on_the_board(digits, recipe, options, tmp_path):
    first = recipe.model_dump(mode="json")
    start = {"initial_encoder": "{beside}/first/autoencoder", "freeze_encoder": True, "epochs": 1}
    second = first | {"training": first["training"] | start}
    both = {"first": {"recipe": first}, "second": {"recipe": second}}
    only = options(recipes=both, tasks={"near": TASKS["neighbours"]}, controls=False, seeds=[3])
    only.check()
    only.check_samples(digits)
    table = board.scores(digits, only, tmp_path).set_index("encoder")["mean"]
    assert table["first"] == table["second"], "the same latents"


def test_names_that_would_share_a_folder_and_unknown_control_seeds_are_refused(options, recipe):
    plain = recipe.model_dump(mode="json")
    with pytest.raises(InputError, match="'a_b' and another recipe would share the folder a_b"):
        options(recipes={"a b": {"recipe": plain}, "a_b": {"recipe": plain}}).check()
    with pytest.raises(InputError, match=r"control_seeds: \[7\] are not among the seeds \[0\]"):
        options(control_seeds=[7]).check()


def test_a_board_without_a_number_says_so(digits, options, tmp_path):
    siamese = {"model": {"kind": "siamese", "latent_size": 3}, "training": {"epochs": 1, "threads": 1}}
    only = options(recipes={"pairs": {"recipe": siamese}}, tasks={"mse": TASKS["reconstruction"]}, controls=False)
    with pytest.raises(InputError, match="none of the tasks gave a number"):
        board.scores(digits, only, tmp_path)


def test_samples_that_a_recipe_or_a_task_cannot_use_are_refused_before_training(digits, options, recipe, tmp_path):
    plain = recipe.model_dump(mode="json")
    one_class = {"recipes": {"small": {"recipe": plain}}, "tasks": {"odd": {"kind": "one_class"}}}
    plain["loader"]["batch_size"] = 140
    with pytest.raises(InputError, match="less those held out for validation or without a normal label"):
        ScoreboardOptions.model_validate(one_class).check_samples(digits)
    groups = {"groups": {"kind": "cluster", "by": {"kind": "kmeans", "clusters": 5000}}}
    with pytest.raises(InputError, match="1797 samples cannot make 5000 groups"):
        options(tasks=groups).check_samples(digits)


def test_the_picture_shows_every_encoder_and_task_and_marks_the_best(whole):
    table, _, _ = whole
    figure = plots.scoreboard(table)
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    for name in dict.fromkeys(table["encoder"]):
        assert name in texts
    assert any("transductive" in text for text in texts)
    best = table[table["metric"] == "mse"].sort_values("mean").iloc[0]
    assert texts[f"{best['mean']:.4f} ± {best['sd']:.4f}"].get_fontweight() == "bold"
    frames = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    shown = {(task, rows["metric"].iloc[0]) for task, rows in table.groupby("task")}
    assert len(frames) == len(shown), "one best control a column"


def test_unknown_tasks_and_methods_without_encoder_are_refused(options, recipe):
    plain = recipe.model_dump(mode="json")
    with pytest.raises(InputError, match=r"no task called 'kmean'.*Did you mean 'kmeans'"):
        options(recipes={"small": {"recipe": plain, "tasks": ["kmean"]}}).check()
    gan = {"name": "gan", "model": {"kind": "gan"}}
    with pytest.raises(InputError, match="gan has no encoder, so scoreboard cannot run"):
        options(recipes={"gan": {"recipe": gan}}).check()
    with pytest.raises(InputError, match="no clusterer called 'kmins'"):
        options(tasks={"groups": {"kind": "cluster", "by": {"kind": "kmins"}}}).check()


def test_samples_without_labels_are_refused_before_training(options, tmp_path):
    splits = ["train"] * 160 + ["test"] * 40
    only_in_train = write_store(tmp_path / "a", ArraySource(images(200), ["a", "b"] * 80 + [None] * 40, splits))
    with pytest.raises(InputError, match=r"found 0 \(2 in the train split, 0 in the test split\)"):
        options().check_samples(only_in_train)
    samples = write_store(tmp_path / "b", ArraySource(images(200), splits=splits))
    with pytest.raises(InputError, match="the scoreboard needs labels"):
        options().check_samples(samples)
