import pytest

from ae_pipelines.base.numbers import with_deviation


@pytest.mark.parametrize(
    ("mean", "deviation", "written"),
    [
        (15, 0.2, "15.00 ± 0.20"),
        (14.84, 1.37, "14.8 ± 1.4"),
        (0.9186, 0.0040, "0.9186 ± 0.0040"),
        (123.4, 31.2, "123 ± 31"),
        (0.5, 0.0, "0.5 ± 0"),
        (0.5, float("nan"), "0.5 ± nan"),
    ],
)
def test_a_mean_has_as_many_decimals_as_its_deviation(mean, deviation, written):
    assert with_deviation(mean, deviation) == written
