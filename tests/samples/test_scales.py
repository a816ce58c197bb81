"""Samples on the scale of another store: as if that store's statistics had been applied to the raw values."""

import numpy as np
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.scales import Scale, stored_there
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.tables.features import features
from ae_pipelines.samples.tables.treatments import Treating, learn

TYPES = {"size": "number", "since": "date", "kind": "category"}


def columns(rows: int, seed: int, levels: str = "abc") -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    size = draw.normal(5, 3, rows)
    size[:3] = np.nan
    kinds = draw.choice(list(levels), rows).astype(object)
    return {"size": size, "since": 10_000.0 + draw.integers(0, 900, rows), "kind": kinds}


def spec_of(rows: dict[str, np.ndarray]) -> SampleSpec:
    learned = learn(rows, TYPES, Treating())  # type: ignore[arg-type]
    return SampleSpec(shape=(features(rows, learned).shape[1],), dtype="float32", preprocessing=learned)


def between(here: SampleSpec, there: SampleSpec) -> Scale:
    scale = Scale.between(here, there)
    assert scale is not None
    return scale


def test_rows_of_a_table_become_what_the_other_store_would_hold():
    here, there = spec_of(columns(200, 0)), spec_of(columns(300, 1))
    new = {name: values[3:] for name, values in columns(50, 2).items()}  # none is missing
    ours, theirs = (features(new, spec.preprocessing) for spec in (here, there))
    assert np.abs(ours - theirs).max() > 0.05
    scale = between(here, there)
    np.testing.assert_allclose(stored_there(ours, here, scale), theirs, atol=1e-5)
    np.testing.assert_allclose(scale.back().apply(theirs), ours, atol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (4, 3, 3)])
def test_standardised_numbers_become_what_the_other_store_would_hold(shape):
    draw = np.random.default_rng(0)
    raw = draw.normal(size=(20, *shape))
    ours, theirs = (Standardisation(draw.normal(size=4), draw.uniform(1, 2, 4)) for _ in range(2))
    here, there = (SampleSpec(shape=shape, dtype="float32", preprocessing=one.record()) for one in (ours, theirs))
    np.testing.assert_allclose(between(here, there).apply(ours.apply(raw)), theirs.apply(raw), atol=1e-5)


def test_images_are_stored_alike_on_every_range_and_inputs_are_not():
    here = SampleSpec(shape=(1, 2, 2), dtype="uint16")
    there, values = here.with_range(100, 300), np.full((1, 1, 2, 2), 200, np.uint16)
    scale = between(here, there)
    assert stored_there(values, here, scale) is values
    np.testing.assert_allclose(scale.apply(here.as_input(values)), 0.5, atol=1e-6)


def test_nothing_is_to_be_done_for_the_same_samples():
    spec = spec_of(columns(100, 0))
    assert Scale.between(spec, spec) is None


def test_other_levels_and_other_columns_are_refused():
    here = spec_of(columns(200, 0))
    with pytest.raises(InputError, match="column 'kind' is treated otherwise"):
        Scale.between(here, spec_of(columns(200, 0, levels="abd")))
    other = SampleSpec(shape=here.shape, dtype="float32", preprocessing=here.preprocessing | {"columns": ["a"]})
    with pytest.raises(InputError, match="not prepared in the same way"):
        Scale.between(here, other)
