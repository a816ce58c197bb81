"""What a study learns from and judges by: some of the train split, each on one side."""

import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.tuning.samples import study_samples

ROWS = 200
IMAGES = images(ROWS)
NAMES = [f"image {row}" for row in range(ROWS)]
LABELS = [f"class {row % 3}" for row in range(ROWS)]


class Prepared(ArraySource):
    """Samples that something was done to before they came here."""

    def __init__(self, values, preprocessing, **about):
        super().__init__(values, **about)
        self.preprocessing = preprocessing

    def spec(self):
        return SampleSpec(shape=self.values.shape[1:], dtype=str(self.values.dtype), preprocessing=self.preprocessing)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("whole"), ArraySource(IMAGES, LABELS, ids=NAMES))


def sides(samples):
    """Ids of what is learned from, and of what judges."""
    return [{*samples.index.query("split == @split")["sample_id"]} for split in ("train", "test")]


def test_what_judges_is_not_learned_from_and_the_test_split_is_not_there(whole, tmp_path):
    learned, judging = sides(study_samples(whole, 60, 20, tmp_path))
    assert (len(learned), len(judging)) == (60, 20)
    assert not learned & judging
    assert learned | judging < sides(whole)[0]


def test_samples_are_as_they_were(whole, tmp_path):
    found = study_samples(whole, 60, 20, tmp_path)
    assert found.spec == whole.spec
    rows = [NAMES.index(name) for name in found.index["sample_id"]]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(found.read(), IMAGES[rows])
    assert found.index["label"].tolist() == [LABELS[row] for row in rows]
    assert found.manifest.source == whole.manifest.source


@pytest.mark.parametrize(
    ("values", "preprocessing"),
    [
        (np.arange(ROWS * 6, dtype=np.uint16).reshape(ROWS, 1, 2, 3), {"range": [3, 400]}),
        (np.random.default_rng(0).normal(5, 3, (ROWS, 4)).astype(np.float32), {"standardise": {"mean": [5.0]}}),
    ],
)
def test_what_was_done_to_samples_is_not_done_again(values, preprocessing, tmp_path):
    source = Prepared(values, preprocessing, ids=NAMES)
    found = study_samples(write_store(tmp_path / "whole", source), None, 20, tmp_path / "study")
    assert found.spec == source.spec()
    np.testing.assert_array_equal(found.read(), values[[NAMES.index(name) for name in found.index["sample_id"]]])


def test_at_most_a_quarter_judges_and_all_others_teach(whole, tmp_path):
    train = len(whole.positions("train"))
    learned, judging = sides(study_samples(whole, None, 10_000, tmp_path))
    assert (len(learned), len(judging)) == (train - train // 4, train // 4)


def test_picks_depend_neither_on_order_nor_on_what_is_not_picked(whole, tmp_path):
    picked = sides(study_samples(whole, 60, 20, tmp_path / "one"))
    backwards = write_store(tmp_path / "backwards", ArraySource(IMAGES[::-1], LABELS[::-1], ids=NAMES[::-1]))
    assert sides(study_samples(backwards, 60, 20, tmp_path / "two")) == picked


def test_more_samples_change_a_pick_only_by_new_ones(whole, tmp_path):
    learned, judging = sides(study_samples(whole, 60, 20, tmp_path / "one"))
    more = np.concatenate([IMAGES, images(20, seed=1)])
    names, labels = [*NAMES, *(f"new {row}" for row in range(20))], [*LABELS, *LABELS[:20]]
    larger = write_store(tmp_path / "larger", ArraySource(more, labels, ids=names))
    now_learned, now_judging = sides(study_samples(larger, 60, 20, tmp_path / "two"))
    gone = (learned | judging) - now_learned - now_judging
    new = {name for name in now_learned | now_judging if name.startswith("new")}
    assert len(gone) == len(new) > 0
    assert all(name.startswith("new") for name in now_judging - judging)


def test_a_pick_is_found_again_unless_it_is_another(whole, tmp_path):
    before = study_samples(whole, 60, 20, tmp_path)
    written = (tmp_path / "manifest.json").stat().st_mtime_ns
    assert study_samples(whole, 60, 20, tmp_path).id == before.id
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == written
    assert len(study_samples(whole, 50, 20, tmp_path)) == 70


def test_few_labels_are_all_picked(tmp_path):
    labels = [label if row % 8 == 0 else None for row, label in enumerate(LABELS)]
    whole = write_store(tmp_path / "whole", ArraySource(IMAGES, labels, splits=["train"] * ROWS))
    found = study_samples(whole, 60, 20, tmp_path / "study").index
    assert found["label"].notna().sum() == ROWS // 8
    assert found.query("split == 'test'")["label"].notna().sum() == round(ROWS / 8 / 4)


def test_equal_content_is_on_one_side(tmp_path):
    twice = np.concatenate([IMAGES[:60], IMAGES[:60]])
    whole = write_store(tmp_path / "whole", ArraySource(twice, splits=["train"] * 120))
    for judge in (15, 16):
        found = study_samples(whole, None, judge, tmp_path / "study").index
        assert found.groupby("sha256")["split"].nunique().max() == 1


@pytest.mark.parametrize(("learn", "judge", "said"), [(5, 20, "tune.learn=5"), (60, 3, "tune.judge=3")])
def test_too_few_are_refused(learn, judge, said, whole, tmp_path):
    with pytest.raises(InputError, match=said):
        study_samples(whole, learn, judge, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_train_split_that_is_too_small_is_refused(tmp_path):
    whole = write_store(tmp_path / "whole", ArraySource(IMAGES[:39], splits=["train"] * 39))
    with pytest.raises(InputError, match="at least 40"):
        study_samples(whole, None, 20, tmp_path / "study")
