from ae_pipelines.io.latents import LatentsDataset
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.pipelines.embed import nodes
from ae_pipelines.training.recipe import EmbedOptions


def test_more_latents_than_fit_into_a_file_become_a_folder_also_those_of_pca(trained, digits, tmp_path):
    options = EmbedOptions(rows_per_file=1000)
    streams = {
        "latents": nodes.embed(trained, digits, options),
        "pca_latents": nodes.embed_by_pca(digits, trained, options),
    }
    for name, stream in streams.items():
        stream.into(tmp_path / name)
        assert sorted(part.name for part in (tmp_path / name).glob("part-*")) == [
            "part-00000.parquet",
            "part-00001.parquet",
        ]
        preview = LatentsDataset(filepath=str(tmp_path / name)).preview(3)
        assert len(preview["data"]) == 3
        assert preview["data"][0][preview["columns"].index("latent")].endswith("…]")
        assert len(LatentsFile(tmp_path / name)) == len(digits)
