"""Flipped bits and cut ends in every file that the catalog names, and in every file of a version."""

import random
import re
import shutil
from collections import Counter

import pytest
import stores
from attacks import LONG, catalog_of, content, files_of, refusal, same, tries
from kedro.io import DatasetError
from scoring.places import IMAGES, Place, train

from ae_pipelines.base import seals
from ae_pipelines.io.folder import FolderDataset
from ae_pipelines.io.local import Sealed

FLIPS, CUTS = tries(3, 30), tries(1, 10)
MORE = ("search", "projector", *(["generate", "contrast"] if LONG else []))
"""Stages whose results train does not make."""
FEW = {"training": {"epochs": 1, "threads": 1}}
BOARD = {"recipes": {"dense": {"recipe": FEW}}, "tasks": {"groups": {"kind": "cluster"}}, "seeds": [0]}
STUDY = {"trials": 2, "learn": 300, "judge": 60, "final_seeds": 2, "objective": "reconstruction"}
UNSEALED = re.compile(r"\.(run\.)?lock|contract\.json|shard-\w+\.npy|(training|judge)\.\w+|study\.journal|.*\.judged")
"""Names of files that have no seal: what nobody reads back, and what says of itself whether it is whole."""


@pytest.fixture(scope="module")
def place(made_once, empty_store):
    """Where a whole run, and more, has left something in almost every entry of the catalog."""

    def trained(folder):
        stores.copy(empty_store, folder)
        train(Place(folder), IMAGES, "NHW")

    def more(folder):
        stores.copy(made_once("trained_on_images", trained), folder)
        here = Place(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", here.registry)
            source = {"name": "array", "path": str(here.train_file), "layout": "NHW", "key": "values"}
            source |= {"labels": "labels"}
            here.run(*MORE, source=source)
            here.score(IMAGES[:60])
            if LONG:
                shutil.copytree(here.data, folder / "other")
                here.run("scoreboard", source=source, scoreboard=BOARD)
                here.run("tune", source=source, tune=STUDY, recipes_dir=str(folder / "recipes"))
                here.run("compare", source=source, compare={"with": str(folder / "other")})
                here.run("recognise", source=source, recognise={"trained": str(folder / "other")})

    return Place(made_once(f"trained_{len(MORE)}_more", more))


def damaged(whole, number, chance):
    """A bit flipped, or the end cut off."""
    if number < FLIPS:
        place = chance.randrange(len(whole))
        return whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
    return whole[: chance.randrange(len(whole))]


def outcome(catalog, name, before, caplog):
    """What using a damaged entry comes to."""
    dataset = catalog.get(name)
    caplog.clear()
    try:
        dataset.refuse_damaged()
        now = content(dataset.load())
    except Exception as error:
        if isinstance(error, DatasetError) and before is None:
            return "unnoticed"  # it is only looked at, and --only-missing-outputs would leave it
        return "refused" if refusal(error) is not None else f"traceback: {name}: {error!r}"
    if now == {} and "damaged" in caplog.text:
        return "refused"  # notes about runs are gone, which is said
    return "as before" if same(now, before) else "silently different"


def entries_of(catalog, data):
    """Entries with files, by name; each with what loading it gives, None for what is only looked at."""
    found = {}
    for name in sorted(catalog.keys()):
        dataset = catalog.get(name)
        place = str(getattr(dataset, "_filepath", None))
        if not place.startswith(str(data)) or name.startswith("other_"):
            continue
        assert isinstance(dataset, Sealed), f"{name} is written without a seal: see io/local.py"
        if not files_of(dataset) or isinstance(dataset, FolderDataset):  # loading a working place gives its path alone
            continue
        try:
            found[name] = content(dataset.load())
        except DatasetError:
            found[name] = None
    return found


def test_whatever_lies_in_a_data_folder_is_sealed(place):
    files = [path for path in place.data.rglob("*") if path.is_file() and path.suffix != seals.IN_FOLDER]

    def sealed(path):
        beside = path.with_name(f".{path.name}{seals.IN_FOLDER}")
        return any(seal.exists() for seal in (beside, *(folder / seals.IN_FOLDER for folder in path.parents)))

    assert [path for path in files if not sealed(path) and not UNSEALED.fullmatch(path.name)] == []


def test_whatever_the_catalog_names_is_refused_when_a_bit_flips_or_an_end_is_cut_off(place, tmp_path, record, caplog):
    stores.copy(place.folder, tmp_path)
    data, chance, found, odd, done = tmp_path / "data", random.Random(0), Counter(), [], 0
    with catalog_of(data) as catalog:
        entries = entries_of(catalog, data)
        assert len(entries) > 60, "an entry that is not there is not attacked"
        for name, before in entries.items():
            files = [file for file in files_of(catalog.get(name)) if file.stat().st_size]
            for number in range(FLIPS + CUTS):
                file = chance.choice(files)
                whole = file.read_bytes()
                file.write_bytes(damaged(whole, number, chance))
                came_to = outcome(catalog, name, before, caplog)
                file.write_bytes(whole)
                found[came_to.partition(":")[0]] += 1
                done += 1
                if came_to not in ("refused", "as before"):
                    odd.append(f"{came_to}: {name}: {file.name}")
    bad = {kind: found[kind] for kind in ("silently different", "traceback", "unnoticed")}
    note = f"{len(entries)} entries; {found['refused']} refused, {found['as before']} in what nobody reads"
    record("flips and cuts in what the catalog names", done, bad, note)
    assert not odd


def test_whatever_belongs_to_a_version_is_refused_too(place, tmp_path, record, caplog):
    shutil.copytree(place.data / "06_models/registered_model", tmp_path / "model")
    from ae_pipelines.io.scoring import RegisteredModelDataset

    dataset = RegisteredModelDataset(filepath=str(tmp_path / "model"))
    before, chance, found, odd, done = content(dataset.load()), random.Random(1), Counter(), [], 0
    for file in files_of(dataset):
        whole = file.read_bytes()
        for number in range(FLIPS + CUTS):
            file.write_bytes(damaged(whole, number, chance))
            came_to = outcome({"model": dataset}, "model", before, caplog)
            found[came_to.partition(":")[0]] += 1
            done += 1
            if came_to not in ("refused", "as before"):
                odd.append(f"{came_to}: {file}")
        file.write_bytes(whole)
    bad = {kind: found[kind] for kind in ("silently different", "traceback")}
    record("flips and cuts in files of a version", done, bad, f"{found['refused']} refused")
    assert not odd
    assert found["refused"]
