import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images
from PIL import Image
from sklearn.datasets import make_blobs
from sklearn.neighbors import NearestNeighbors

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.downstream import nearest, search
from ae_pipelines.downstream.approximate import ApproximateIndex
from ae_pipelines.downstream.nearest import Index, nearest_of_pieces
from ae_pipelines.downstream.search import SearchOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.samples import new_image
from ae_pipelines.samples.image_options import ImageOptions
from ae_pipelines.samples.images import ImageDecoder
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec

POINTS, GROUPS = make_blobs(600, 6, centers=3, cluster_std=0.5, random_state=0)


def latents(vectors=POINTS, labels=GROUPS, train_every=3):
    count = len(vectors)
    table = pd.DataFrame({"sample_id": [f"s{row}" for row in range(count)]})
    table["split"] = np.where(np.arange(count) % train_every, "train", "test")
    table["label"] = [None if label is None else str(label) for label in labels]
    table["seen"] = table["split"] == "train"
    return LatentsInMemory(table, np.asarray(vectors, np.float32), {"encoder_sha256": "mine"})


def nothing(path):
    raise AssertionError("there is no image to encode")


def found(data, encode=nothing, **given):
    options = SearchOptions.model_validate(given)
    return pd.concat(search.neighbours(data, search.queries(data, options, encode), options), ignore_index=True)


def test_neighbours_are_those_of_an_independent_search():
    table = found(latents(), ids=["s7", "s300"], k=5)
    distances, rows = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(POINTS).kneighbors(POINTS[[7, 300]])
    assert table["sample_id"].tolist() == [f"s{row}" for row in rows[:, 1:].ravel()]
    np.testing.assert_allclose(table["distance"], distances[:, 1:].ravel(), rtol=1e-3)
    assert table["query"].tolist() == ["s7"] * 5 + ["s300"] * 5
    assert table["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    assert table["label"].tolist() == [str(GROUPS[row]) for row in rows[:, 1:].ravel()]


def test_a_sample_is_not_its_own_neighbour_but_equal_ones_are():
    data = latents(np.repeat(POINTS[:100], 6, axis=0))
    table = found(data, ids=["s12", "s13"], k=5)
    assert (table["distance"] < 1e-3).all()
    for query, part in table.groupby("query"):
        assert query not in set(part["sample_id"])
        assert set(part["sample_id"]) <= {f"s{row}" for row in range(12, 18)}


def test_turning_all_latents_leaves_the_neighbours():
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    plain, turned = found(latents(), random=20), found(latents(POINTS @ turn), random=20)
    assert (plain["sample_id"] == turned["sample_id"]).mean() > 0.99


def test_random_queries_are_of_the_test_split_and_follow_the_seed():
    first, again, other = (found(latents(), random=5, seed=seed)["query"].unique().tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 5
    assert all(int(name[1:]) % 3 == 0 for name in first)


def test_a_new_image_is_looked_for_by_its_latent(tmp_path):
    table = found(latents(), lambda path: POINTS[[44]].astype(np.float32), image=tmp_path / "new.png", k=3)
    assert table["query"].unique().tolist() == [str(tmp_path / "new.png")]
    assert table["sample_id"][0] == "s44", "it is not in the file, so what is there may be as near as can be"
    both = found(latents(), lambda path: POINTS[[44]].astype(np.float32), image=tmp_path / "new.png", ids=["s1"], k=3)
    assert both["query"].unique().tolist() == [str(tmp_path / "new.png"), "s1"]


def test_an_approximate_index_finds_nearly_all():
    data = latents(np.random.default_rng(0).normal(size=(3000, 6)), labels=[None] * 3000)
    options = SearchOptions(exact=False)
    assert search.recall(data, options) > 0.95
    assert set(search.search_metrics(data, options)) == {"recall"}
    assert set(search.search_metrics(data, SearchOptions())) == set()
    table = found(data, ids=["s5"], exact=False)
    assert len(table) == 9
    assert "s5" not in set(table["sample_id"])


def test_neighbours_in_pieces_are_those_of_an_index_of_all_and_of_equally_near_ones_the_first(monkeypatch):
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 25)
    vectors = np.random.default_rng(0).integers(0, 3, (300, 4)).astype(np.float32)  # many are equal
    queries, pieces = vectors[:60], np.split(vectors, [4, 130, 135])
    for count in (1, 7, 300):
        distances, rows = nearest_of_pieces(pieces, queries, count)
        for mine, theirs in zip((distances, rows), Index(vectors).nearest(queries, count), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    exactly = np.linalg.norm(queries[:, None] - vectors, axis=2)
    np.testing.assert_array_equal(rows, np.argsort(exactly, axis=1, kind="stable"))
    assert nearest_of_pieces(pieces, queries, 301)[1].shape == (60, 300)


@pytest.mark.parametrize("size", [1, 5, 6])
def test_what_an_approximate_index_finds_has_its_true_distance(size):
    points = np.random.default_rng(0).normal(size=(500, size)).astype(np.float32)
    data = latents(points, labels=[None] * 500)
    distances, rows = ApproximateIndex(data, 7).nearest(points[:40])
    np.testing.assert_allclose(distances, np.linalg.norm(points[:40, None] - points[rows], axis=2), rtol=1e-5)
    np.testing.assert_array_equal(rows[:, 0], np.arange(40))
    assert (np.diff(distances, axis=1) >= 0).all()


def test_a_search_is_exact_up_to_so_many_comparisons(monkeypatch):
    monkeypatch.setattr(search, "EXACT_PAIRS", 6 * 600)
    assert search._is_exact(latents(), SearchOptions(random=6))
    assert not search._is_exact(latents(), SearchOptions(random=7))
    assert not search._is_exact(latents(), SearchOptions(ids="all"))
    assert search._is_exact(latents(), SearchOptions(random=7, exact=True))
    assert set(search.search_metrics(latents(), SearchOptions(random=7))) >= {"recall"}


@pytest.mark.parametrize("exact", [True, False])
def test_neighbours_of_every_sample_are_written_some_at_a_time(tmp_path, monkeypatch, exact):
    monkeypatch.setattr("ae_pipelines.latents.file.ROWS_AT_ONCE", 100)
    data = latents(labels=[str(group) if row > 300 else None for row, group in enumerate(GROUPS)])
    options = SearchOptions(ids="all", k=3, exact=exact)
    pieces = search.neighbours(data, search.queries(data, options, nothing), options)
    TableStream(pieces).into(tmp_path / "neighbours.parquet")
    table = pd.read_parquet(tmp_path / "neighbours.parquet")
    _, rows = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(POINTS).kneighbors(POINTS)
    assert table["query"].tolist() == [f"s{row}" for row in range(600) for _ in range(3)]
    assert (table["sample_id"] == [f"s{row}" for row in rows[:, 1:].ravel()]).mean() > (0.99 if exact else 0.9)
    far = table["sample_id"].str[1:].astype(int).to_numpy()
    assert table["label"].fillna("").tolist() == [str(GROUPS[row]) if row > 300 else "" for row in far]


def test_of_many_queries_the_first_are_drawn(tmp_path):
    store = write_store(tmp_path / "store", ArraySource(images(30)))
    data = latents(POINTS[:30], labels=[None] * 30)
    data.table["sample_id"] = store.index["sample_id"]
    options = SearchOptions(ids="all", k=4)
    TableStream(search.neighbours(data, search.queries(data, options, nothing), options)).into(tmp_path / "found")
    found = TableFile(tmp_path / "found")
    lines = search.lines(found, data, store, 2)
    assert len(lines) == 2
    assert found.attrs["queries"] == 30
    expected = data.positions(found["sample_id"].tolist()[4:8])
    np.testing.assert_array_equal(lines[1].pictures, store.spec.as_input(store.take(np.array([1, *expected]))))


def test_places_that_an_approximate_index_leaves_empty_are_left_out():
    rows = np.array([[4, 2, 7, -1], [1, 2, 3, 4]])
    kept = search._without_own(rows, np.array([2, -1]), 3)
    assert kept.tolist() == [[True, False, True, False], [True, True, True, False]]


def test_neighbours_of_separate_groups_agree_and_those_of_noise_by_chance():
    assert search.neighbour_agreement(latents(), 9) == 1
    noise = np.random.default_rng(0).integers(0, 4, 3000)
    points = np.random.default_rng(1).normal(size=(3000, 3))
    assert search.neighbour_agreement(latents(points, noise), 9) == pytest.approx(0.25, abs=0.02)


def test_only_labelled_rows_count_for_agreement():
    labels = [label if row % 2 else None for row, label in enumerate(GROUPS)]
    assert search.neighbour_agreement(latents(labels=labels), 9) == 1
    assert np.isnan(search.neighbour_agreement(latents(labels=[None] * 600), 9))


def test_an_unknown_id_is_refused_with_some_known_ones():
    with pytest.raises(InputError, match="no sample is called t1; there are 600, such as s0, s1, s2, s3, s4"):
        found(latents(), ids=["s1", "t1"])


def test_more_neighbours_than_samples_are_refused():
    with pytest.raises(InputError, match="600 samples do not have 600 neighbours each: give search.k below 600"):
        found(latents(), k=600)


def saved(tmp_path, size, mode="RGB"):
    path = tmp_path / "new.png"
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_a_new_image_becomes_what_the_source_makes_of_the_same_file(tmp_path, resize, colour):
    path = saved(tmp_path, (40, 30))
    options = ImageOptions(size=(16, 12), colour=colour, resize=resize, background=(9, 8, 7))
    decoder = ImageDecoder.of(options, (16, 12))
    spec = SampleSpec(shape=decoder.shape, dtype="uint8", preprocessing=decoder.preprocessing)
    restored = SampleSpec.model_validate_json(spec.model_dump_json())
    np.testing.assert_array_equal(new_image.as_stored(path, restored), decoder(path.read_bytes()))


def test_without_known_preprocessing_an_image_must_have_the_size(tmp_path):
    path = saved(tmp_path, (8, 8), "L")
    values = new_image.as_stored(path, SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={"scale": "to 255"}))
    np.testing.assert_array_equal(values[0], np.asarray(Image.open(path)))
    with pytest.raises(InputError, match=r"another size than 6 x 5. These samples are grey images of 6 x 5 pixels"):
        new_image.as_stored(path, SampleSpec(shape=(1, 6, 5), dtype="uint8"))


def test_what_is_no_image_is_refused(tmp_path):
    spec = SampleSpec(shape=(1, 8, 8), dtype="uint8")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match="text.png cannot be used: not a PNG, JPEG"):
        new_image.as_stored(tmp_path / "text.png", spec)
    with pytest.raises(InputError, match="cannot read the image .*gone.png: No such file"):
        new_image.as_stored(tmp_path / "gone.png", spec)
    with pytest.raises(InputError, match=r"samples of shape \(7,\).*give search.ids"):
        new_image.as_stored(tmp_path / "text.png", SampleSpec(shape=(7,), dtype="float32"))


def test_what_cannot_be_looked_for_is_refused_before_training(tmp_path):
    store = write_store(tmp_path / "store", ArraySource(images(30)))
    SearchOptions(ids=("array/3",), k=29).check_samples(store)
    with pytest.raises(InputError, match="no sample is called array/30; there are 30, such as array/0"):
        SearchOptions(ids=("array/30",)).check_samples(store)
    with pytest.raises(InputError, match="30 samples do not have 30 neighbours"):
        SearchOptions(k=30).check_samples(store)
    with pytest.raises(InputError, match="another size than 6 x 5"):
        SearchOptions(image=saved(tmp_path, (8, 8))).check_samples(store)
