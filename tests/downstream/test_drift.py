import json
from dataclasses import replace
from math import erfc, exp, sqrt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import DriftOptions, compare, drift_metrics, refuse_drift
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import LatentsInMemory

OPTIONS = DriftOptions()
WITHOUT_FLOOR = DriftOptions(smallest_effect=0)


def side(vectors, clusters=None, errors=None, seen=0.0):
    vectors = np.asarray(vectors, np.float32)
    clusters = np.zeros(len(vectors), np.int32) if clusters is None else np.asarray(clusters, np.int32)
    errors = None if errors is None else np.asarray(errors, np.float32)
    return Distribution(EncodedBy("mine", vectors.shape[1]), vectors, clusters, errors, seen)


def normal(rows, size=3, seed=0, shift=0.0):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(rows, size))
    vectors[:, 0] += shift
    return side(vectors, draw.integers(-1, 4, rows), draw.gamma(4, 1, rows))


def of_clusters(*counts):
    """Rows that differ in nothing but their clusters, so many of each."""
    return side(np.zeros((sum(counts), 1)), np.repeat(np.arange(len(counts)), counts))


def latents(rows, seen, labels=None, normal_labels=()):
    table = pd.DataFrame({"sample_id": np.arange(rows).astype(str), "split": "train", "label": labels, "seen": seen})
    table["reconstruction_error"] = np.arange(rows, dtype=np.float32)
    metadata = {"encoder_sha256": "mine", "normal_labels": json.dumps(list(normal_labels))}
    vectors = np.arange(rows, dtype=np.float32)[:, None]
    return LatentsInMemory(table, vectors, metadata), pd.DataFrame({"cluster": np.arange(rows) % 7})


@pytest.fixture(scope="module")
def rows(digits):
    """All digits: their principal components, groups among these, and what the components leave out."""
    pixels = digits.read().reshape(len(digits), -1) / 255
    pca = PCA(16, random_state=0).fit(pixels)
    vectors = pca.transform(pixels)
    errors = ((pca.inverse_transform(vectors) - pixels) ** 2).mean(axis=1)
    return side(vectors, KMeans(10, n_init=1, random_state=0).fit_predict(vectors), errors)


def parted(rows, seed, size=400):
    """A reference of 1,000 rows and a batch of others."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows._at(order[:1000]), rows._at(order[1000 : 1000 + size])


def test_the_statistic_is_the_largest_gap_between_distribution_functions():
    grid = np.arange(400)[:, None] / 400
    (latent,) = compare(side(grid), side(grid + 0.25), OPTIONS)["latents"]
    assert latent["statistic"] == pytest.approx(0.25)
    assert latent["drifted"]
    (latent,) = compare(side(grid), side(grid + 0.1), OPTIONS)["latents"]
    limit = sum(2 * (-1) ** (k - 1) * exp(-2 * k * k * 0.1**2 * 200) for k in range(1, 20))  # Kolmogorov 1933
    assert latent["p"] == pytest.approx(limit, rel=0.15)
    assert not latent["drifted"]


def test_cluster_shares_differ_by_what_would_have_to_move():
    clusters = compare(of_clusters(200, 200), of_clusters(100, 300), OPTIONS)["clusters"]
    assert clusters["shares"] == {"0": [0.5, 0.25], "1": [0.5, 0.75]}
    assert clusters["total_variation"] == 0.25
    chi_square = 800 * (200 * 300 - 200 * 100) ** 2 / (400 * 400 * 300 * 500)
    assert clusters["p"] == pytest.approx(erfc(sqrt(chi_square / 2)), rel=1e-6, abs=0)  # one degree of freedom
    assert clusters["drifted"]


def test_noise_and_groups_that_one_side_lacks_are_groups():
    reference, batch = of_clusters(300, 100), of_clusters(300, 0, 100)
    report = compare(replace(reference, clusters=reference.clusters - 1), batch, OPTIONS)
    assert report["clusters"]["shares"] == {"-1": [0.75, 0.0], "0": [0.25, 0.75], "2": [0.0, 0.25]}
    assert report["clusters"]["total_variation"] == 0.75


def test_groups_too_rare_for_the_formula_are_joined_from_the_rarest_on():
    assert compare(of_clusters(10_000), of_clusters(198, 2), OPTIONS)["clusters"]["p"] is None
    few = compare(of_clusters(6, 6, 0, 0, 3), of_clusters(0, 0, 6, 6, 3), OPTIONS)["clusters"]
    assert few["p"] == pytest.approx(erfc(sqrt(20 / 2)))  # of 12 and 3 against 0 and 15


def test_many_rare_groups_make_no_false_alarms_and_hide_no_new_one():
    draw = np.random.default_rng(0)

    def spread(count):
        return side(np.zeros((count, 1)), draw.integers(0, 300, count))

    p_values = [compare(spread(2000), spread(300), OPTIONS)["clusters"]["p"] for _ in range(100)]
    assert np.mean(np.less(p_values, 0.1)) == pytest.approx(0.1, abs=0.08)
    batch = spread(300)
    batch.clusters[:60] = 300
    clusters = compare(spread(2000), batch, OPTIONS)["clusters"]
    assert clusters["p"] < 1e-6
    assert clusters["drifted"]


def test_one_group_alone_is_not_tested():
    clusters = compare(of_clusters(400), of_clusters(400), OPTIONS)["clusters"]
    assert clusters == {"shares": {"0": [1.0, 1.0]}, "total_variation": 0.0, "p": None, "drifted": False}


def test_batches_like_the_reference_are_ok_in_95_of_100_draws(rows):
    verdicts = [compare(*parted(rows, seed), WITHOUT_FLOOR)["verdict"] for seed in range(100)]
    assert verdicts.count("ok") >= 95


def test_a_shift_of_one_latent_by_half_a_standard_deviation_is_found(rows):
    reference, batch = parted(rows, 0)
    batch.vectors[:, 5] += 0.5 * rows.vectors[:, 5].std()
    report = compare(reference, batch, OPTIONS)
    assert report["verdict"] == "drift"
    assert [latent["latent"] for latent in report["latents"] if latent["drifted"]] == [5]
    assert "1 of 16 latents (latent 5, KS statistic" in report["said"]


def test_errors_and_clusters_drift_too(rows):
    reference, batch = parted(rows, 0)
    batch = replace(batch, errors=1.5 * batch.errors, clusters=np.where(batch.clusters == 3, 4, batch.clusters))
    report = compare(reference, batch, OPTIONS)
    assert report["error"]["drifted"]
    assert report["error"]["median"] == pytest.approx(float(np.median(batch.errors)))
    assert report["error"]["reference_median"] == pytest.approx(float(np.median(reference.errors)))
    assert report["clusters"]["shares"]["3"][1] == 0
    assert not any(latent["drifted"] for latent in report["latents"])
    assert "latents (" not in report["said"]
    assert "reconstruction errors (median" in report["said"]
    assert "hold out more" not in report["said"]


def test_the_order_of_rows_changes_nothing(rows):
    reference, batch = parted(rows, 0)
    draw = np.random.default_rng(1)
    shuffled = (one._at(draw.permutation(len(one))) for one in (reference, batch))
    assert compare(*shuffled, OPTIONS) == compare(reference, batch, OPTIONS)


@pytest.mark.parametrize("short", ["batch", "reference"])
def test_below_200_rows_numbers_are_given_and_nothing_is_flagged(short):
    many, few = normal(1000), normal(199, shift=5)
    report = compare(many, few, OPTIONS) if short == "batch" else compare(few, many, OPTIONS)
    assert report["verdict"] == "insufficient data"
    assert report["said"].startswith(f"Insufficient data: 200 {'new' if short == 'batch' else 'reference'} rows")
    assert "given 199" in report["said"]
    assert report["latents"][0]["statistic"] > 0.9
    assert report["latents"][0]["p"] < 1e-9
    assert not any(each["drifted"] for each in (*report["latents"], report["error"], report["clusters"]))
    assert compare(many, normal(200, shift=5), OPTIONS)["verdict"] == "drift"


def test_one_row_is_insufficient_data():
    assert compare(normal(1000), normal(1), OPTIONS)["verdict"] == "insufficient data"


def test_without_rows_there_is_nothing_new_and_there_are_no_numbers():
    report = compare(normal(1000), normal(0), OPTIONS)
    assert report["verdict"] == "nothing new"
    assert (report["latents"], report["error"], report["clusters"], report["tests"]) == ([], None, None, 0)
    assert drift_metrics(report) == {"rows": 0.0, "drift": 0.0}


def test_a_difference_beyond_chance_that_is_too_small_to_matter_is_no_drift():
    reference, batch = normal(10_000), normal(100_000, seed=1, shift=0.1)
    report = compare(reference, batch, OPTIONS)
    assert report["latents"][0]["p"] < 1e-6
    assert report["latents"][0]["statistic"] < 0.1
    assert report["verdict"] == "ok"
    assert compare(reference, batch, WITHOUT_FLOOR)["verdict"] == "drift"


def test_of_a_large_batch_a_sample_is_looked_at():
    report = compare(normal(1000), normal(50_000), OPTIONS)
    assert (report["rows"], report["compared_rows"]) == (50_000, 20_000)
    assert drift_metrics(report)["rows"] == 50_000
    assert compare(normal(1000), normal(50_000), OPTIONS) == report
    assert compare(normal(1000), normal(50_000), DriftOptions(seed=1))["latents"] != report["latents"]


@pytest.mark.parametrize("count", [200, 900, 5000])
def test_drift_begins_where_the_report_says(count):
    reference = normal(5000)
    start = compare(reference, normal(count), OPTIONS)["drift_from"]
    for factor, drifted in ((0.9, False), (1.1, True)):
        shifted = np.quantile(reference.vectors[:, 0], np.clip(np.arange(count) / count + factor * start, 0, 1))
        batch = replace(normal(count), vectors=np.tile(shifted[:, None], 3).astype(np.float32))
        latent = compare(reference, batch, OPTIONS)["latents"][0]
        assert latent["statistic"] == pytest.approx(factor * start, abs=1 / count)
        assert latent["drifted"] == drifted


def test_tests_share_the_significance():
    assert compare(normal(400, 3), normal(400, 3), OPTIONS)["tests"] == 5
    assert compare(replace(normal(400, 3), errors=None), normal(400, 3), OPTIONS)["tests"] == 4
    wide = [compare(normal(5000, size), normal(300, size), OPTIONS)["drift_from"] for size in (1, 10, 100)]
    assert wide == sorted(wide)
    assert wide[0] < wide[2]


def test_a_latent_that_never_varies_does_not_drift_by_its_last_bits():
    reference, batch = normal(1000), normal(1000, seed=1)
    reference.vectors[:, 1], batch.vectors[:, 1] = 0.3, np.nextafter(np.float32(0.3), np.float32(1))
    assert compare(reference, batch, OPTIONS)["latents"][1] == {
        "latent": 1,
        "statistic": 0.0,
        "p": 1.0,
        "drifted": False,
    }
    batch.vectors[:, 1] = 0.4
    assert compare(reference, batch, OPTIONS)["latents"][1]["drifted"]


@pytest.mark.parametrize("count", [0, 1, 50, 1000])
@pytest.mark.parametrize("errors", ["some", "none", "overflowed"])
def test_the_report_is_plain_json(count, errors):
    table, clusters = latents(count, np.zeros(count, bool))
    if errors == "none":
        table = LatentsInMemory(table.table.drop(columns="reconstruction_error"), table.vectors, table.metadata)
    if errors == "overflowed":
        table.table["reconstruction_error"] = np.float32(np.inf)
    batch = Distribution.of_batch(table, clusters)
    report = compare(side(np.arange(1000)[:, None], errors=np.arange(1000)), batch, OPTIONS)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert all(np.isfinite(value) for value in drift_metrics(report).values())
    if errors == "overflowed" and count == 1000:
        assert report["error"]["drifted"]


def test_metrics_are_the_numbers_of_the_report():
    grid = np.arange(400)[:, None] / 400
    reference = side(np.hstack([grid, grid]), np.arange(400) % 2, np.full(400, 2.0))
    batch = side(np.hstack([grid, grid + 0.25]), np.zeros(400), np.full(400, 3.0))
    assert drift_metrics(compare(reference, batch, OPTIONS)) == pytest.approx(
        {
            "rows": 400,
            "drift": 1,
            "latents_drifted": 1,
            "largest_statistic": 0.25,
            "total_variation": 0.5,
            "error_statistic": 1,
            "error_ratio": 1.5,
        }
    )


def test_a_median_error_of_zero_makes_no_ratio():
    reference, batch = replace(normal(400), errors=np.zeros(400, np.float32)), normal(400)
    assert "error_ratio" not in drift_metrics(compare(reference, batch, OPTIONS))


def test_drift_ends_a_run_only_where_that_is_asked():
    drifted, calm = (compare(normal(1000), normal(1000, seed=1, shift=shift), OPTIONS) for shift in (1, 0))
    refuse_drift(drifted, OPTIONS)
    refuse_drift(calm, DriftOptions(fail=True))
    with pytest.raises(InputError, match=r"1 of 3 latents .* set drift.fail to false"):
        refuse_drift(drifted, DriftOptions(fail=True))


def test_the_reference_are_rows_that_the_encoder_has_not_learned_from():
    seen = np.arange(5000) >= 1500
    found = Distribution.of_training(*latents(5000, seen))
    np.testing.assert_array_equal(found.vectors[:, 0], np.arange(1500))
    np.testing.assert_array_equal(found.errors, np.arange(1500))
    np.testing.assert_array_equal(found.clusters, np.arange(1500) % 7)
    assert found.description == "rows that the encoder has not learned from"


def test_where_too_few_were_held_out_the_reference_says_so():
    found = Distribution.of_training(*latents(1800, np.arange(1800) >= 900))
    assert len(found) == 1800
    report = compare(found, replace(found, errors=found.errors + 500), OPTIONS)
    assert report["reference"] == "rows, 50% of which the encoder has learned from"
    assert report["said"].endswith("smaller than those of new rows anyway: hold out more.")


def test_of_many_rows_ten_thousand_are_drawn_by_the_seed():
    data = latents(30_000, np.zeros(30_000, bool))
    first, again, other = (Distribution.of_training(*data, seed) for seed in (0, 0, 1))
    assert len(np.unique(first.vectors)) == 10_000
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert (first.vectors != other.vectors).any()
    assert first.vectors.mean() == pytest.approx(15_000, rel=0.02)


def test_known_anomalies_are_no_reference():
    labels = np.where(np.arange(4000) < 1200, "good", "bad")
    found = Distribution.of_training(*latents(4000, np.zeros(4000, bool), labels, ["good"]))
    np.testing.assert_array_equal(found.vectors[:, 0], np.arange(1200))


@pytest.mark.parametrize("errors", [True, False])
def test_a_reference_survives_parquet(tmp_path, errors):
    reference = replace(normal(500, 4), seen=0.25)
    if not errors:
        reference = replace(reference, errors=None)
    pq.write_table(reference.table(), tmp_path / "reference.parquet", row_group_size=200)
    found = Distribution.of_table(pq.read_table(tmp_path / "reference.parquet"))
    assert (found.encoded_by, found.seen) == (reference.encoded_by, 0.25)
    for name in ("vectors", "clusters", "errors") if errors else ("vectors", "clusters"):
        ours, theirs = getattr(found, name), getattr(reference, name)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert (found.errors is None) == (not errors)
    assert compare(found, normal(300, 4), OPTIONS) == compare(reference, normal(300, 4), OPTIONS)


def test_another_table_is_no_reference():
    with pytest.raises(InputError, match="a table with the columns sample_id was given, expected latent and cluster"):
        Distribution.of_table(pa.table({"sample_id": ["a"]}))
    with pytest.raises(InputError, match="expected latent and cluster"):
        Distribution.of_table(pa.table({"latent": [1.0], "cluster": [1]}))
    bare = normal(3).table().replace_schema_metadata(None)
    with pytest.raises(InputError, match="train and register a model again"):
        Distribution.of_table(bare)


def test_latents_of_another_encoder_are_refused():
    other = replace(normal(300), encoded_by=EncodedBy("theirs", 3))
    with pytest.raises(InputError, match="3 latents of encoder mine, but the new rows have 3 of encoder theirs"):
        compare(normal(300), other, OPTIONS)
    with pytest.raises(InputError, match="3 latents of encoder mine, but the new rows have 4 of encoder mine"):
        compare(normal(300), normal(300, 4), OPTIONS)


def test_latents_that_are_not_finite_are_refused():
    batch = normal(300)
    batch.vectors[7, 1], batch.vectors[8, 2] = np.nan, np.inf
    with pytest.raises(InputError, match="2 of 300 latents of the new rows have NaN or Inf"):
        compare(normal(300), batch, OPTIONS)


def test_clusters_of_other_rows_are_refused():
    with pytest.raises(InputError, match="300 latents, but 299 clusters and 300 errors"):
        replace(normal(300), clusters=np.zeros(299, np.int32))
