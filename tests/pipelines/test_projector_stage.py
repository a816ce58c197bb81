"""Files for TensorBoard: a real run on digits."""

import numpy as np
import pandas as pd

from ae_pipelines.downstream import clustering
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.io.atomic_datasets import ParquetDataset
from ae_pipelines.latents.file import read_latents
from ae_pipelines.pipelines.projector import nodes
from ae_pipelines.report.projector import ProjectorOptions
from ae_pipelines.samples.store import Samples

SMALL = {"name": "dense", "loader": {"batch_size": 64}, "training": {"epochs": 20, "threads": 1}}


def test_the_projector_shows_all_latents_and_groups_where_there_are_some_of_these(ran, run, tmp_path):
    data = ran("ingest", "fit", "embed", recipe=SMALL)
    run("projector", recipe=SMALL)
    latents = read_latents(data / "07_model_output/latents.parquet")
    shown = pd.read_csv(data / "08_reporting/projector/metadata.tsv", sep="\t", dtype={"label": str})
    assert shown.columns.tolist() == ["sample_id", "label", "split", "error"]
    assert shown["sample_id"].tolist() == latents.column("sample_id").tolist()
    vectors = np.fromfile(data / "08_reporting/projector/latents.bytes", "<f4")
    assert np.array_equal(vectors.reshape(len(latents), latents.size), latents.vectors)

    table = ParquetDataset(filepath=str(tmp_path / "clusters.parquet"))
    table.save(clustering.assign(clustering.fit_groups(latents, ClusterOptions(clusters=3)), latents))
    clusters = table.load()
    given = (latents, Samples(data / "02_intermediate/samples"), ProjectorOptions())
    assert np.array_equal(nodes.project(*given, clusters).groups, clusters["cluster"])
    clusters.attrs["encoder"] = "0" * 64
    assert nodes.project(*given, clusters).groups is None
    clusters.attrs.clear()
    assert nodes.project(*given, clusters).groups is not None
    assert nodes.project(*given, clusters[1:]).groups is None
    assert nodes.project(*given, clusters[::-1]).groups is None
