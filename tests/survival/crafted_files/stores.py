"""Sample stores, versions, recipes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from crafted import CANARY, case

from crafted_files.no_files import pipe, store_in
from crafted_files.openings import MB, Opening, Payload, ingested, parquet
from crafted_files.text import images_in


def _store(folder: Path, changed: Callable[[dict[str, Any]], None]) -> Opening:
    """A store whose manifest says something else."""
    images_in(folder)
    ingested("image_folder", folder, path=folder / "images")()
    path = folder / "store" / "manifest.json"
    manifest = json.loads(path.read_text())
    changed(manifest)
    path.write_text(json.dumps(manifest))
    return store_in(folder / "store")


@case("store: a manifest of 10^12 rows", short=True)
def _(folder: Path) -> Opening:
    def change(manifest: dict[str, Any]) -> None:
        manifest["read"] = manifest["accepted"] = manifest["shards"][0]["rows"] = 10**12
        manifest["rejected"] = 0

    return _store(folder, change)


@case("store: a manifest of 10^8 rows")
def _(folder: Path) -> Opening:
    def change(manifest: dict[str, Any]) -> None:
        manifest["read"] = manifest["accepted"] = manifest["shards"][0]["rows"] = 10**8
        manifest["rejected"] = 0

    return _store(folder, change)


@case("store: samples of 10^12 values")
def _(folder: Path) -> Opening:
    return _store(folder, lambda manifest: manifest["spec"].update(shape=[1, 10**6, 10**6]))


@case("store: a shard that lies outside")
def _(folder: Path) -> Opening:
    return _store(folder, lambda manifest: manifest["shards"][0].update(file="../../etc/passwd"))


@case("store: a shard that is pickled")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (shard,) = (folder / "store").glob("shard-*.npy")
    np.save(shard, np.array([Payload(folder)] * 20, object), allow_pickle=True)
    return opening


@case("store: an index that is a bomb")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (index,) = (folder / "store").glob("index*.parquet")
    columns = pq.read_table(index)
    bomb = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(columns), np.int32)), pa.array(["a" * 200 * MB]))
    place = columns.schema.names.index("sample_id")
    parquet(columns.set_column(place, "sample_id", bomb), index)
    return opening


@case("store: a manifest nested 100,000 deep")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (folder / "store" / "manifest.json").write_text('{"id":' * 100_000)
    return opening


@case("version: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "contract.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.model import ScoringModel

        return ScoringModel(folder)

    return read


@case("version: version.json nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "version.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.version import RegisteredModel

        return RegisteredModel(folder)

    return read


@case("ONNX: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "contract.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.onnx.saved import OnnxModels

        return OnnxModels.load(folder)

    return read


@case("initial encoder: a pipe", short=True)
def _(folder: Path) -> Opening:
    pipe(folder / "weights.safetensors")

    def read() -> object:
        from ae_pipelines.training.initial_encoder import InitialEncoder

        return InitialEncoder.load(folder, frozen=False)

    return read


def recipe(folder: Path, text: str) -> Opening:
    (parameters := folder / "conf" / "base" / "parameters").mkdir(parents=True)
    (parameters / "crafted.yml").write_text(text)

    def read() -> object:
        from ae_pipelines.recipes.heads import heads

        return heads(folder / "conf", "local")

    return read


@case("recipe: a tag that runs code", short=True)
def _(folder: Path) -> Opening:
    code = f"open({str(folder / CANARY)!r}, 'w').close()"
    return recipe(folder, f"recipes: !!python/object/apply:exec [{json.dumps(code)}]\n")


@case("recipe: a billion aliases", refused=False)
def _(folder: Path) -> Opening:
    lines = ["recipes:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return recipe(folder, "\n".join(lines))


@case("recipe: lists nested 10,000 deep")
def _(folder: Path) -> Opening:
    return recipe(folder, "recipes: " + "[" * 10_000 + "]" * 10_000)
