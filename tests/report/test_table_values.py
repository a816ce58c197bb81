import csv

import numpy as np
import pytest

from ae_pipelines.report.shown import table_values
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.table import Table

ROWS = [
    {
        "size": str(10 + row),
        "kind": ["oak", "elm", ""][row % 3],
        "cut": ["true", "false"][row % 2],
        "on": f"2024-03-{row % 28 + 1:02d}",
    }
    for row in range(60)
]


@pytest.mark.parametrize("scaling", ["standardise", "quantile"])
def test_features_become_the_cells_that_they_were_read_from(tmp_path, scaling):
    rows = [row | ({"size": ""} if place == 7 else {}) for place, row in enumerate(ROWS)]
    with (tmp_path / "trees.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    samples = write_store(tmp_path / "store", Table(path=tmp_path / "trees.csv", scaling=scaling))
    found = table_values.in_columns(samples.read(), samples.spec)
    for row, cells in zip(rows, found, strict=True):
        if not row["size"]:
            assert cells["size"] == "missing"
        else:
            assert float(cells["size"]) == pytest.approx(float(row["size"]), abs=2 if scaling == "quantile" else 0.01)
        assert {name: cells[name] for name in ("kind", "cut")} == {"kind": row["kind"] or "missing", "cut": row["cut"]}
        assert abs(np.datetime64(cells["on"]) - np.datetime64(row["on"])) <= np.timedelta64(
            1 if scaling == "quantile" else 0, "D"
        )
