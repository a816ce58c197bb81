"""What lies on disk when a process was killed in the middle of a write."""

import shutil

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ae_pipelines.tuning.study import run_study


@pytest.fixture
def ended(few, tiny, options, tmp_path, costless):
    """A study of five trials, and how it is run again."""

    def again(trials=5):
        return run_study(few, tiny, options(trials=trials), tmp_path)

    return again(), tmp_path, again


def held(path):
    """What Optuna reads."""
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(path))))
    return [(trial.number, trial.state.name, trial.values, trial.params) for trial in study.trials]


def test_optuna_reads_what_was_found_with_choices_by_their_names(ended):
    study, folder, _ = ended
    path = folder / study.id / "study.journal"
    trials = held(path)
    assert len(trials) == 5
    for (number, state, values, params), outcome in zip(trials, study.outcomes, strict=True):
        assert number == outcome.number
        assert state.lower().startswith(outcome.state[:4])
        if outcome.state == "complete":
            assert values == [outcome.measures["small_mse"]]
        assert params["model.net.widths"] in ("narrow", "wide")
        assert params.get("training.learning_rate") == outcome.values["training.learning_rate"]
    assert "model.latent_size" not in trials[0][3], "what the recipe has does not lie in the space"


def test_a_journal_that_was_cut_anywhere_is_whole_again(ended):
    study, folder, again = ended
    path = folder / study.id / "study.journal"
    whole, content = held(path), path.read_bytes()
    for cut in range(1, len(content), len(content) // 12):
        path.write_bytes(content[:cut])
        path.with_name("study.journal.lock").touch()  # of the process that was killed
        assert again().outcomes == study.outcomes
        assert held(path) == whole


@pytest.mark.parametrize("spoiled", [b"{}\n", b"no json\n", b"\0\0\n"])
def test_a_journal_that_cannot_be_read_is_written_anew(ended, spoiled, caplog):
    study, folder, again = ended
    path = folder / study.id / "study.journal"
    whole = held(path)
    path.write_bytes(spoiled + path.read_bytes())
    again()
    assert held(path) == whole
    assert "cannot be read" in caplog.text


def test_trials_go_on_without_the_journal(ended):
    study, folder, again = ended
    shutil.copytree(folder / study.id, folder / "copy")
    (folder / study.id / "study.journal").unlink()
    assert again(6).outcomes[:5] == study.outcomes
    assert len(held(folder / study.id / "study.journal")) == 6
