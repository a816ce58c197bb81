import itertools

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.models.autoencoder import Autoencoder
from ae_pipelines.models.gan import GAN
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.training import loop
from ae_pipelines.training.batches import Batches
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import DivergedError, train
from ae_pipelines.training.step import Step


def changed(recipe, **training_options):
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=training_options)})


def same_weights(first, second):
    pairs = zip(first.module.state_dict().values(), second.module.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_training_lowers_the_loss_and_says_so_epoch_by_epoch(digits, recipe):
    heard = []

    class Heard(Run):
        id = "heard"

        def report(self, metrics, step):
            heard.append((step, metrics["fit/loss"]))

    trained, history = train(digits, recipe, run=Heard())
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert heard == [(row["epoch"], row["loss"]) for row in history]
    assert trained.contract.run_id == "heard"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(digits, recipe):
    first, _ = train(digits, recipe)
    torch.manual_seed(1234)
    again, _ = train(digits, recipe)
    other, _ = train(digits, changed(recipe, seed=1))
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_training_leaves_the_callers_random_state_and_threads_alone(digits, recipe):
    torch.manual_seed(5)
    expected = torch.rand(1)
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    train(digits, changed(recipe, epochs=1, threads=1))
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_steps_make_whole_epochs_and_epochs_count_first(digits, recipe):
    by_steps = changed(recipe, epochs=None, steps=45)  # 21 or 22 batches an epoch
    assert len(train(digits, by_steps)[1]) == 3
    assert len(train(digits, changed(by_steps, epochs=1))[1]) == 1


def test_the_best_weights_are_kept_not_the_last(digits, recipe):
    trained, history = train(digits, changed(recipe, learning_rate=0.02, epochs=40, patience=None))
    best = min(history, key=lambda row: row["loss"])
    assert best is not history[-1], "the test needs a training whose last epoch is not its best"
    rows = digits.seen(LearnedFrom()) & ~digits.seen(recipe.learned_from(digits))
    shown = digits.read()[rows]
    error = ((trained.reconstruct(shown) - shown / 255.0) ** 2).mean()
    assert error == pytest.approx(best["loss"], rel=1e-4)


def test_patience_ends_a_training_that_no_longer_improves(digits, recipe):
    _, history = train(digits, changed(recipe, learning_rate=0.02, epochs=60, patience=2))
    losses = [row["loss"] for row in history]
    assert len(history) < 60
    assert losses.index(min(losses)) == len(losses) - 3


def test_a_diverging_training_stops_with_a_way_out(digits, recipe):
    unbounded = changed(recipe, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"diverged in epoch \d+, by step \d+: .* is (nan|inf).*learning_rate"):
        train(digits, unbounded)


def test_weights_that_explode_in_the_last_step_are_noticed(digits, recipe):
    one_step = recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"batch_size": 1300})})
    with pytest.raises(DivergedError, match=r"(weight|bias|loss).* is (nan|inf)"):
        train(digits, changed(one_step, epochs=1, learning_rate=1e38))


def test_gradients_are_held_to_the_maximum_norm(digits, recipe):
    free, _ = train(digits, recipe)
    held, history = train(digits, changed(recipe, maximum_gradient_norm=1e-3))
    assert not same_weights(free, held)
    assert max(row["gradient_norm"] for row in history) > 1e-3, "the norm is reported before it is held"


def test_an_unknown_device_is_refused(digits, recipe):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(InputError, match="'cuda' is not available here; available: .*cpu"):
        train(digits, changed(recipe, device="cuda"))


def test_bfloat16_learns_as_well_as_float32(digits, recipe):
    _, full = train(digits, recipe)
    _, half = train(digits, changed(recipe, precision="bfloat16"))
    assert half[-1]["loss"] == pytest.approx(full[-1]["loss"], rel=0.1)
    assert half[-1]["loss"] != full[-1]["loss"]


class Stop(Exception):
    """Stands for a process that dies."""


def interrupted(digits, recipe, checkpoint, after, monkeypatch):
    """Train until `after` checkpoints are written, then die."""
    count = itertools.count(1)
    save = CheckpointFile.save

    def save_and_die(self, tensors, state):
        save(self, tensors, state)
        if next(count) == after:
            raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(CheckpointFile, "save", save_and_die)
        train(digits, recipe, checkpoint)


def starts_of_epochs(monkeypatch):
    """Where each pass over the training batches began, from now on: (epoch, step)."""
    starts, epoch_of = [], Batches.epoch

    def noting(self, epoch, start=0):
        if self._shuffle:
            starts.append((epoch, start))
        return epoch_of(self, epoch, start)

    monkeypatch.setattr(Batches, "epoch", noting)
    return starts


@pytest.mark.parametrize("after", [2, 5, 7, 12])
def test_an_interrupted_training_ends_bitwise_as_an_undisturbed_one(digits, recipe, tmp_path, monkeypatch, after):
    monkeypatch.setattr(loop, "CHECK_EVERY", 8)
    recipe = changed(recipe, checkpoint_seconds=0.0, schedule="one_cycle")
    expected, expected_history = train(digits, recipe)
    checkpoint = CheckpointFile(tmp_path / "c")
    interrupted(digits, recipe, checkpoint, after, monkeypatch)
    at = checkpoint.load()[1]["position"]
    starts = starts_of_epochs(monkeypatch)
    resumed, history = train(digits, recipe, checkpoint)
    assert starts[0] == (at["epoch"], at["step"]), "it went on where it was, not from the beginning"
    assert same_weights(resumed, expected)
    assert history == expected_history


def test_a_resumed_training_takes_over_the_number_of_threads(digits, recipe, tmp_path, monkeypatch):
    probing = changed(recipe, threads=None, checkpoint_seconds=0.0)
    checkpoint = CheckpointFile(tmp_path / "c")
    monkeypatch.setattr(loop.fastest, "remembered_or_tried", lambda *_: loop.fastest.Setup(3, "contiguous"))
    interrupted(digits, probing, checkpoint, 2, monkeypatch)
    monkeypatch.setattr(loop.fastest, "remembered_or_tried", lambda *_: pytest.fail("probed again"))
    train(digits, probing, checkpoint)
    assert checkpoint.load()[1]["threads"] == 3


def test_a_finished_training_starts_afresh(digits, recipe, tmp_path):
    checkpoint = CheckpointFile(tmp_path / "c")
    first, history = train(digits, recipe, checkpoint)
    again, history_again = train(digits, recipe, checkpoint)
    assert same_weights(first, again)
    assert len(history_again) == len(history) == 5


def test_a_finished_training_goes_on_for_more_epochs_when_asked(digits, recipe, tmp_path):
    checkpoint = CheckpointFile(tmp_path / "c")
    _, history = train(digits, recipe, checkpoint)
    longer_recipe = changed(recipe, until_epoch=8)
    trained, longer = train(digits, longer_recipe, checkpoint)
    assert longer[:5] == history
    assert [row["epoch"] for row in longer] == list(range(1, 9))
    assert longer[-1]["loss"] < history[-1]["loss"]
    repeated, history_again = train(digits, longer_recipe, checkpoint)
    assert history_again == longer, "the same run again trains no further"
    assert same_weights(repeated, trained)


def test_an_unfinished_training_of_another_recipe_is_not_taken_up(digits, recipe, tmp_path, monkeypatch):
    checkpoint = CheckpointFile(tmp_path / "c")
    interrupted(digits, changed(recipe, checkpoint_seconds=0.0, seed=7), checkpoint, 3, monkeypatch)
    trained, _ = train(digits, recipe, checkpoint)
    assert same_weights(trained, train(digits, recipe)[0])


def test_going_on_from_nothing_is_refused(digits, recipe, tmp_path):
    with pytest.raises(InputError, match="no finished training of this recipe"):
        train(digits, changed(recipe, until_epoch=7), CheckpointFile(tmp_path / "c"))


def test_going_on_from_an_unfinished_training_is_refused(digits, recipe, tmp_path, monkeypatch):
    checkpoint = CheckpointFile(tmp_path / "c")
    recipe = changed(recipe, checkpoint_seconds=0.0)
    interrupted(digits, recipe, checkpoint, 3, monkeypatch)
    with pytest.raises(InputError, match="stopped at epoch 2 of 5: run it again as it was to finish it first"):
        train(digits, changed(recipe, until_epoch=7), checkpoint)


def test_too_few_samples_are_refused_before_training(digits, recipe):
    large = recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"batch_size": 5000})})
    with pytest.raises(InputError, match="do not fill one batch of 5000"):
        train(digits, large)


def streaming(recipe, budget=40_000):
    return recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"memory_budget": budget})})


def test_samples_above_the_memory_budget_are_streamed_and_learned_as_well(digits, recipe, caplog):
    caplog.set_level("INFO")
    in_memory = train(digits, recipe)[1]
    assert "streaming" not in caplog.text
    streamed = train(digits, streaming(recipe))[1]
    assert "streaming 1,797 samples" in caplog.text
    assert streamed[-1]["loss"] == pytest.approx(in_memory[-1]["loss"], rel=0.15)


def test_a_streamed_training_that_was_interrupted_ends_with_the_same_bits(digits, recipe, tmp_path, monkeypatch):
    recipe = changed(streaming(recipe), checkpoint_seconds=0)
    undisturbed, _ = train(digits, recipe)
    file = CheckpointFile(tmp_path / "checkpoint")

    epochs = itertools.count()

    def stop_after_two(*_):
        if next(epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_keep_best", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            train(digits, recipe, file)
    assert same_weights(train(digits, recipe, file)[0], undisturbed)


def test_where_players_oppose_each_other_the_last_weights_are_kept(digits, recipe):
    gan = recipe.model_validate(
        {"model": {"kind": "gan"}, "training": {"epochs": 4, "threads": 1, "patience": 1, "validation_share": 0.1}}
    )
    _, history = train(digits, gan)
    assert len(history) == 4, "patience does not end it"
    assert "validation/generator/fooling" in history[0]


def steps_heard(monkeypatch):
    """The share of steps that `after_step` is told to be done, and whether it has gradients, from now on."""
    heard = []
    monkeypatch.setattr(Autoencoder, "after_step", lambda _, done: heard.append((done, torch.is_grad_enabled())))
    return heard


def test_a_method_hears_after_every_step_how_much_is_done(digits, recipe, monkeypatch):
    heard = steps_heard(monkeypatch)
    train(digits, changed(recipe, epochs=2))
    assert len(heard) > 20
    assert heard == [(pytest.approx((number + 1) / len(heard)), False) for number in range(len(heard))]


def test_a_method_hears_of_a_step_when_all_players_have_had_their_turn(digits, recipe, monkeypatch):
    gan = recipe.model_validate({"model": {"kind": "gan"}, "training": {"epochs": 1, "threads": 1}})
    turns, move = [], Step._move

    def noting(step, player, *given):
        move(step, player, *given)
        turns.append(player.name)

    monkeypatch.setattr(Step, "_move", noting)
    monkeypatch.setattr(GAN, "after_step", lambda *_: turns.append("after"))
    train(digits, gan)
    assert turns == ["discriminator", "generator", "after"] * (len(turns) // 3)


def test_a_resumed_training_hears_of_the_steps_that_were_left(digits, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECK_EVERY", 8)
    recipe = changed(recipe, checkpoint_seconds=0.0)
    heard = steps_heard(monkeypatch)
    train(digits, recipe)
    undisturbed = [*heard]
    checkpoint = CheckpointFile(tmp_path / "c")
    interrupted(digits, recipe, checkpoint, 6, monkeypatch)
    at = checkpoint.load()[1]["position"]
    heard.clear()
    train(digits, recipe, checkpoint)
    assert at["step"] > 0
    assert heard == undisturbed[at["epoch"] * len(undisturbed) // 5 + at["step"] :]
