"""`python -m ae_pipelines.project.atlas --atlas=<program> --data-dir=<folder>`: the map of a run in Embedding Atlas.

It is given the places that the stage report has computed, and its own server's database: so it needs no network.
"""

import os
from pathlib import Path

import click
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import plane
from ae_pipelines.project.looking import place
from ae_pipelines.project.refusals import refusals

LATENTS, MAP, CLUSTERS = (f"07_model_output/{name}.parquet" for name in ("latents", "map", "clusters"))
MADE_BY = "make encode viz"


def arguments(latents: Path, places: Path, clusters: Path, port: int) -> list[str]:
    """What Embedding Atlas is called with: latents with places by the first layout, and groups if there are any."""
    layout = plane.layouts_of(pq.read_schema(places).empty_table().to_pandas())[0]
    tables = f"data JOIN {_table(places)} USING (sample_id)"
    if clusters.exists():
        tables += f" LEFT JOIN {_table(clusters)} USING (sample_id)"
    return [
        str(latents),
        f"--query=SELECT * EXCLUDE (latent) FROM {tables}",
        f"--x={layout}_x",
        f"--y={layout}_y",
        "--duckdb=server",
        "--host=127.0.0.1",
        f"--port={port}",
    ]


def _table(path: Path) -> str:
    """A parquet file, or a folder of part files, in DuckDB's SQL."""
    quoted = str(path / "*.parquet" if path.is_dir() else path).replace("'", "''")
    return f"read_parquet('{quoted}')"


@click.command()
@click.option("--atlas", type=click.Path(path_type=Path), required=True, help="The program embedding-atlas.")
@click.option("--data-dir", help="The run's data folder; none: the project's.")
@click.option("--port", type=int, default=5055, help="Its port.")
def main(atlas: Path, data_dir: str | None, port: int) -> None:
    """Start Embedding Atlas in place of this process."""
    with refusals():
        latents, places = (place(Path.cwd(), data_dir, name, MADE_BY) for name in (LATENTS, MAP))
        clusters = places.with_name(Path(CLUSTERS).name)
        given = arguments(latents, places, clusters, port)
        try:
            os.execv(atlas, [str(atlas), *given])
        except FileNotFoundError as error:
            raise InputError(f"there is no {atlas}: make atlas installs it") from error


if __name__ == "__main__":
    main()
