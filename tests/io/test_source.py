"""What `--params=source=...` becomes: an entry of the catalog with what was given, and a source of it."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.samples.fetch import PUBLIC
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.settings import CONFIG_LOADER_ARGS


def loader(**params):
    return ConfigLoader(str(PROJECT / "conf"), runtime_params=params, **CONFIG_LOADER_ARGS)


def source(**given):
    """As a pipeline gets it."""
    catalog = DataCatalog.from_config({"source": loader(source=given)["catalog"]["source"]})
    return catalog.load("source")


@cache
def entries():
    """Of the whole file, before one is picked."""
    return super(ConfigLoader, loader()).__getitem__("catalog")["sources"]


def test_entries_are_of_registered_kinds():
    assert {entry["kind"] for entry in entries().values()} <= set(SOURCES.kinds())


@pytest.mark.parametrize("kind", SOURCES.kinds())
def test_every_kind_has_an_entry_whose_options_it_takes_and_reads_nothing_yet(kind):
    names = [name for name, entry in entries().items() if entry["kind"] == kind]
    assert names, "give it an entry in conf/base/catalog_sources.yml"
    for name in names:
        layout = {"layout": "NF"} if name == "array" else {}
        path = {"path": "nowhere/at/all"} if entries()[name].get("path") else {}
        assert source(name=name, **layout, **path).name


def test_what_is_given_replaces_what_the_entry_says(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(5))
    found = source(name="array", path=str(tmp_path / "x.npy"), layout="NF", standardise=False)
    assert (found.name, found.count(), found.spec().preprocessing) == ("x", 5, {})
    assert loader(source={"name": "array", "layout": "NF"})["parameters"]["source"] == "array"


def test_another_kind_drops_the_options_of_the_entry_and_is_a_source_still():
    found = source(name="array", kind="table", path="cells.csv", label="kind")
    assert (type(found).__name__, found.path, found.label) == ("Table", Path("cells.csv"), "kind")
    with pytest.raises(DatasetError, match="no source called 'tabel'; known: .*Did you mean 'table'"):
        source(name="array", kind="tabel")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "array"}, "source 'array': layout: not given; say what the axes are"),
        ({"name": "array", "kind": "table"}, "source 'table': path: not given, but required"),
        ({"name": "image_folder", "sizes": 3}, "sizes: no such option; .*Did you mean 'size'"),
        ({"name": "image_folder", "resize": "crop"}, "resize=crop needs a size: give size="),
        ({"name": "image_parquet", "label": "x"}, "label: no such option; known: .*label_column"),
        ({"name": "table", "path": None}, "path: given None"),
        ({"name": "mnist", "fetch": "mnits"}, "fetch: no public set called 'mnits'; .*Did you mean 'mnist'"),
        ({"name": "digits", "path": "here"}, "path: no such option"),
    ],
)
def test_what_a_source_cannot_take_is_refused_before_it_is_read(given, message):
    with pytest.raises(DatasetError, match=message) as fault:
        source(**given)
    assert isinstance(fault.value.__cause__, InputError)


def test_a_public_set_is_known_by_its_name():
    assert source(name="cifar10").fetch is PUBLIC["cifar10"]
    assert source(name="idx").fetch is None


def test_a_folder_may_be_called_by_a_number():
    assert source(name="image_folder", path=2024).path == Path("2024")
