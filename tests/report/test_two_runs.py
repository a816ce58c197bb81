"""What two runs have in common, and how they differ."""

import numpy as np
import pytest
import results_by_hand as by_hand

from ae_pipelines.base.errors import InputError
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.two_runs import page, sides
from ae_pipelines.report.two_runs.changes import Changes
from ae_pipelines.report.two_runs.matching import matched_groups, matched_samples, turned
from ae_pipelines.report.two_runs.measures import measures
from ae_pipelines.report.two_runs.moves import Pair, sections
from ae_pipelines.report.two_runs.options import CompareOptions
from ae_pipelines.report.two_runs.parameters import Parameter, parameters
from ae_pipelines.report.two_runs.recorded import NoRecords, Recorded
from ae_pipelines.report.two_runs.side import Side

ODD = np.arange(by_hand.ROWS) < 2
GROUPS = np.repeat([0, 1], by_hand.ROWS // 2)
LABELS = np.where(GROUPS == 0, "a", "b").astype(object)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return by_hand.samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def two_runs(store):
    """The other run has other numbers for the same groups, two samples in the wrong one, three classes wrong, and
    one sample less is odd in this run, but for another one."""

    def two_runs(**here):
        groups, labels = 5 - GROUPS, LABELS.copy()
        groups[[3, 4]] = groups[-1]
        labels[[1, 3, 4]] = "b"
        there = by_hand.found(
            store, "f" * 64, "conv", 2, clusters=groups, predictions=labels, anomalies=np.roll(ODD, 1)
        )
        return by_hand.found(store, clusters=GROUPS, predictions=LABELS, anomalies=ODD, **here), there

    return two_runs


def compared(here, there, options=None):
    options = options or CompareOptions(**{"with": "there", "data_dir": "here"})
    return sides.both(here, there, NoRecords(), options, ReportOptions())


def changes_of(here, there):
    sides_ = compared(here, there)
    results = [side.results for side in sides_]
    return Changes(*results, matched_samples(*results))


def side_of(metrics=None, params=None, record=True):
    parameters_ = params or {}
    return Side("x", None, metrics or {}, parameters_, Recorded("1", "run", parameters=parameters_) if record else None)


# -- matching ----------------------------------------------------------------------------------------------------------


def test_samples_are_matched_by_id_where_their_content_is_the_same(tmp_path):
    ids = [f"s/{row}" for row in range(by_hand.ROWS)]
    here = by_hand.samples(tmp_path / "here", ids)
    there = by_hand.samples(tmp_path / "there", ["only there", *ids[:0:-1][::-1]])
    both = [side.results for side in compared(by_hand.found(here), by_hand.found(there, "f" * 64))]
    matched = matched_samples(*both)
    assert matched.here.tolist() == matched.there.tolist() == list(range(1, by_hand.ROWS))
    assert matched.only_here.tolist() == [0]
    assert matched.only_there.tolist() == [0]


def test_runs_without_a_sample_in_common_are_refused_and_the_reason_is_told(tmp_path, store):
    ids = store.index["sample_id"].tolist()
    unlike = by_hand.samples(tmp_path / "unlike", ids, seed=1)
    elsewhere = by_hand.samples(tmp_path / "elsewhere", [f"other/{name}" for name in ids])
    for other, why in ((unlike, "40 ids are the same, but their content is not"), (elsewhere, "no id is the same")):
        with pytest.raises(InputError, match=f"no sample in common, .*: {why}"):
            changes_of(by_hand.found(store), by_hand.found(other, "f" * 64))


def test_groups_are_matched_by_the_samples_that_they_share_one_to_one():
    ours = np.array([0, 0, 0, 1, 1, 1, 2, 2, -1])
    theirs = np.array([7, 7, 7, 7, 4, 4, 9, 3, -1])
    known = matched_groups(ours, theirs)
    assert (known[-1], known[7], known[4]) == (-1, 0, 1)
    assert sorted([known[3], known[9]]) == [-2, 2]  # both share one sample with 2, and one of them has no group left


def test_groups_with_other_numbers_are_the_same_groups():
    ours = np.random.default_rng(0).integers(0, 6, 500)
    renumbered = np.array([3, 5, 0, 2, 1, 4])
    assert matched_groups(ours, renumbered[ours]) == {-1: -1} | {int(renumbered[group]): group for group in range(6)}


def test_a_layout_that_is_turned_mirrored_moved_and_larger_becomes_the_same():
    places = np.random.default_rng(0).normal(size=(50, 2))
    cos, sin = np.cos(2.0), np.sin(2.0)
    other = 3 * places @ np.array([[cos, sin], [sin, -cos]]) + [5, -7]
    other[0] = np.nan
    found = turned(other, places, np.arange(1, 50))
    np.testing.assert_allclose(found[1:], places[1:], atol=1e-9)


# -- what changed ------------------------------------------------------------------------------------------------------


def test_only_samples_in_groups_that_do_not_go_together_changed_group(two_runs):
    ours, theirs = changes_of(*two_runs()).groups
    assert np.flatnonzero(ours != theirs).tolist() == [3, 4]


def test_sections_count_and_show_what_changed(two_runs):
    groups, classes, odd = sections(changes_of(*two_runs()))
    assert groups.sentences[0].startswith("2 of 40 samples that are in both runs (5.0\N{NO-BREAK SPACE}%) changed")
    assert [(move.title, move.count) for move in groups.moves] == [("group 1 → 0", 2)]
    assert [(move.title, move.count) for move in classes.moves] == [("label b → a", 3)]
    assert (
        "Of 20 labelled samples in the test splits of both, 2 are right only here and 0 only there"
        in classes.sentences[1]
    )
    assert "so uneven a count would come in 50 % of all cases" in classes.sentences[1]  # heads or tails, twice alike
    assert odd.sentences[0].startswith("1 became odd, which they are only in this run, 1 no longer are, and 1 are odd")
    assert groups.rows.tolist() == [3, 4]
    assert classes.rows.tolist() == [1, 3, 4]
    assert odd.rows.tolist() == [0, 1, 2]


def test_groups_that_go_together_are_listed_with_the_samples_that_they_share(two_runs):
    groups, *_ = sections(changes_of(*two_runs()))
    assert groups.pairs == [Pair("0", "5", 20, 18, 18), Pair("1", "4", 20, 22, 20)]


def test_what_one_run_does_not_have_is_not_compared(store):
    assert sections(changes_of(by_hand.found(store, clusters=GROUPS), by_hand.found(store, "f" * 64))) == []


# -- measures and parameters -------------------------------------------------------------------------------------------


def accuracy(share, low, high):
    return {
        "classify": {
            "accuracy": share,
            "accuracy_low": low,
            "accuracy_high": high,
            "pca_accuracy": 0.5,
            "test_rows": 100,
        }
    }


def rows_of(here, there, stage="Classifier"):
    return {row.name: row for row in measures(side_of(here), side_of(there))[stage]}


def test_a_difference_has_an_interval_and_is_beyond_chance_if_that_leaves_out_zero():
    row = rows_of(accuracy(0.8, 0.7, 0.9), accuracy(0.6, 0.5, 0.7))["accuracy"]
    assert (row.difference, row.interval, row.verdict) == ("+20.0", "+5.9 to +34.1", "better")  # 20 ± √(10² + 10²)
    assert (row.here.control, row.here.rows) == ("50\N{NO-BREAK SPACE}%", "100")
    row = rows_of(accuracy(0.62, 0.5, 0.7), accuracy(0.60, 0.5, 0.7))["accuracy"]
    assert row.verdict == "within"


def test_lower_is_worse_only_where_higher_is_better():
    assert rows_of(accuracy(0.1, 0.05, 0.2), accuracy(0.8, 0.7, 0.9))["accuracy"].verdict == "worse"
    errors = [
        {"classify": {"error_with_10_labels": e, "error_with_10_labels_low": e - 2, "error_with_10_labels_high": e + 2}}
        for e in (10, 30)
    ]
    assert rows_of(*errors)["error_with_10_labels"].verdict == "better"


def test_what_is_the_same_or_only_says_how_busy_the_machine_was_is_left_out():
    here, there = (
        {"fit": {"seconds": seconds, "times_lower": 2.0, "nll": seconds, "train/model/loss": seconds}}
        for seconds in (1.0, 2.0)
    )
    assert list(rows_of(here, there, "Training")) == ["nll"]


def test_parameters_that_differ_are_told_from_records_or_from_both_folders(two_runs):
    here, there = (
        side_of(params={"recipe.seed": "1", "a": "x", "data_dir": "1", "promote.alias": "champion"}),
        side_of(params={"recipe.seed": "2", "a": "x"}),
    )
    found = parameters(here, there)
    assert found.different == [Parameter("recipe.seed", "1", "2")]
    assert found.equal == 1
    assert (found.only_here, found.only_there) == (["promote"], [])
    folders = parameters(*compared(*two_runs()))
    assert Parameter("recipe.name", "dense", "conv") in folders.different
    assert Parameter("model.latent_size", "3", "2") in folders.different
    assert parameters(here, side_of(record=False)) is None


# -- the page ----------------------------------------------------------------------------------------------------------


def test_a_page_of_both_has_two_maps_of_the_same_samples(two_runs):
    text = page.page(*compared(*two_runs()), ReportOptions(samples=1000))
    assert '"name":"pca"' in text
    assert '"name":"other_pca"' in text
    for name in ("group", "other_group", "moved", "other_predicted", "odd", "other_error"):
        assert f'{{"name":"{name}"' in text
    assert "plot-here" in text
    assert "plot-there" in text


def test_of_a_run_that_is_only_on_record_measures_are_compared_and_the_rest_is_said(store):
    record = Recorded("7", "train", {"classify": accuracy(0.8, 0.7, 0.9)["classify"]}, {"recipe.name": "vae"})
    options = CompareOptions(**{"with": "runs:/7", "data_dir": "here"})

    class Records:
        def of(self, run_id):
            return record

    here = by_hand.found(store, predictions=LABELS, classify_metrics=accuracy(0.1, 0.05, 0.2)["classify"])
    text = page.page(*sides.both(here, by_hand.Found(), Records(), options, ReportOptions()), ReportOptions())
    assert "worse here" in text
    assert "samples, groups and maps are not" in text
    assert "plot-here" not in text
    with pytest.raises(InputError, match="nothing is left to compare with"):
        sides.both(here, by_hand.Found(), NoRecords(), options, ReportOptions())


def test_nothing_from_data_is_read_as_html(tmp_path):
    bad = "</script><img src=x onerror=alert(1)>\"'&\n\u202e"
    store = by_hand.samples(tmp_path, [f"{bad}{row}" for row in range(by_hand.ROWS)])
    labels = np.where(GROUPS == 0, bad, f"{bad}!").astype(object)
    here = by_hand.found(store, recipe=bad, predictions=labels)
    there = by_hand.found(store, "f" * 64, predictions=labels[::-1])
    text = page.page(*compared(here, there), ReportOptions())
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>")


# -- what is refused ---------------------------------------------------------------------------------------------------


def run_folder(folder, latents=True):
    (folder / "07_model_output").mkdir(parents=True)
    if latents:
        (folder / "07_model_output/latents.parquet").touch()
    return folder


def test_one_sentence_says_what_to_give_where_there_is_nothing_to_compare_with(tmp_path):
    here, empty = run_folder(tmp_path / "here"), run_folder(tmp_path / "empty", latents=False)
    for other, message in (
        (None, "no other run was named: give as compare.with"),
        (tmp_path / "nowhere", "nowhere, but there is no such folder"),
        (empty, "empty, but there are no latents in it"),
        (here / "../here", "the same folder"),
    ):
        with pytest.raises(InputError, match=message):
            CompareOptions(**{"with": other, "data_dir": here}).check()
    with pytest.raises(InputError, match="no latents in data_dir"):
        CompareOptions(**{"with": here, "data_dir": empty}).check()
    CompareOptions(**{"with": here, "data_dir": run_folder(tmp_path / "other")}).check()
    CompareOptions(**{"with": "runs:/12ab", "data_dir": here}).check()


@pytest.mark.parametrize(("given", "run_id"), [("runs:/12ab", "12ab"), ("mlflow:12ab", "12ab"), ("runs/12ab", None)])
def test_a_run_of_mlflow_is_told_from_a_folder(given, run_id):
    assert CompareOptions(**{"with": given, "data_dir": "."}).run_id == run_id
