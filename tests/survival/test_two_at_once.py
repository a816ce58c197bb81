"""Several runs at once: in one data folder, in others with one fresh database, and against an MLflow server."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
import stores
from attacks import tries
from forked import forked, wait_until
from mlflow import MlflowClient

from ae_pipelines.tracking.process import this_process
from ae_pipelines.tracking.store import EXPERIMENT
from ae_pipelines.tracking.turns import TICKET

WORK = """
with locking.only_run(Path({folder!r}), "train"):
    Path({began!r}).touch()
    while not Path({end!r}).exists():
        os.sched_yield()
"""
"""A run that works until it is told to end."""
CROWD = """
for _ in range(200):
    try:
        with locking.only_run(Path({folder!r}), "train"):
            os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
            os.unlink({marker!r})
    except locking.Taken:
        pass
"""
"""A run that nothing comes of, again and again; it fails where another one is in the folder, too."""
RECORD = """
run = runs.open_run(Path({project!r}), "train", time.time(), {{"pipeline": "train", "number": "{number}"}})
run.report({{"fit/loss": {number}.5}})
run.end("FINISHED")
"""
PROMOTE = """
project = Path({project!r})
run = runs.open_run(project, "train", time.time(), {{"pipeline": "train"}})
client = store.client_of(project)
try:
    client.create_registered_model("cells")
except MlflowException:
    pass
with store.alone(project):
    place = client.get_run(run.id).info.artifact_uri + "/models"
    version = client.create_model_version("cells", place, run.id, tags={{"accuracy": "{accuracy}"}})
    champion = dict(client.get_registered_model("cells").aliases).get("champion")
    if champion is None or float(client.get_model_version("cells", champion).tags["accuracy"]) < {accuracy}:
        client.set_registered_model_alias("cells", "champion", version.version)
run.end("FINISHED")
"""
"""What `register` does, with nothing to register."""
DIE = """
with store.alone(Path({project!r})):
    Path({at!r}).touch()
    while True:
        os.sched_yield()
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with forked(tmp_path_factory.mktemp("forked")) as processes:
        yield processes


def runs_in(uri):
    client = MlflowClient(uri)
    return client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])


def statuses(uri):
    return Counter(run.info.status for run in runs_in(uri))


def test_of_runs_in_one_folder_all_but_the_first_are_refused_and_it_is_not_harmed(tmp_path, processes, record):
    found, count = {"let in": 0, "harmed": 0}, tries(2, 20)
    for number in range(count):
        folder, end = tmp_path / str(number), tmp_path / f"end{number}"

        def work(name, folder=folder, end=end):
            return WORK.format(folder=str(folder), began=f"{folder}.{name}", end=str(end))

        first = processes.start("", work("first"))
        wait_until(Path(f"{folder}.first").exists, processes.said)
        held = (folder / ".run.json").read_text()
        found["let in"] += sum(code == 0 for code in processes.together("", [work("second"), work("third")]))
        found["harmed"] += (folder / ".run.json").read_text() != held or json.loads(held)["pid"] != first
        end.touch()
        found["harmed"] += processes.end(first) != 0 or folder.exists()
        found["harmed"] += processes.end(processes.start("", work("later"))) != 0
    record("two at once in one data folder", count, found)
    assert found == {"let in": 0, "harmed": 0}


def test_in_a_folder_that_runs_make_and_remove_there_is_one_at_a_time(tmp_path, processes):
    work = CROWD.format(folder=str(tmp_path / "data"), marker=str(tmp_path / "inside"))
    assert processes.together("", [work] * 3) == [0, 0, 0], processes.said.read_text()
    assert not (tmp_path / "data").exists()


def test_runs_that_begin_at_once_with_a_fresh_database_are_all_on_record(tmp_path, processes, record):
    found, count, several = {"lost": 0, "untrue status": 0}, tries(1, 20), 3
    for number in range(count):
        (folder := tmp_path / str(number)).mkdir()
        uri = stores.address(folder)
        works = [f"import time\n{RECORD.format(project=str(folder), number=one)}" for one in range(several)]
        found["lost"] += sum(code != 0 for code in processes.together(uri, works))
        measured = {run.data.metrics.get("fit/loss") for run in runs_in(uri)}
        found["lost"] += measured != {one + 0.5 for one in range(several)}
        found["untrue status"] += statuses(uri) != {"FINISHED": several}
    record(f"{several} at once with one fresh database", count, found)
    assert found == {"lost": 0, "untrue status": 0}


def test_of_trainings_that_end_at_once_the_best_becomes_champion_on_a_server_too(
    tmp_path, empty_store, processes, record
):
    found = {"lost": 0, "another champion": 0, "untrue status": 0, "two runs": 0}
    count, several, chance = tries(2, 20), 3, random.Random(3)
    for number in range(count):
        stores.copy(empty_store, folder := tmp_path / str(number))
        with processes.server(stores.address(folder), folder) as uri:
            processes.end(processes.start(uri, f"store.client_of(Path({str(folder)!r}))"))
            killed = processes.start(uri, DIE.format(project=str(folder), at=str(folder / "inside")))
            wait_until((folder / "inside").exists, processes.said)
            accuracies = chance.sample(range(50, 100), several)
            pids = [
                processes.start(uri, f"import time\n{PROMOTE.format(project=str(folder), accuracy=one)}")
                for one in accuracies
            ]
            processes.end(killed, kill=True)
            found["lost"] += sum(processes.end(pid) != 0 for pid in pids)
            client = MlflowClient(uri)
            champion = client.get_model_version_by_alias("cells", "champion")
            found["another champion"] += float(champion.tags["accuracy"]) != max(accuracies)
            found["lost"] += len(client.search_model_versions("name = 'cells'")) != several
            found["untrue status"] += statuses(uri) != {"FINISHED": several}
            work = f"import time\n{RECORD.format(project=str(folder), number=number)}"
            found["lost"] += sum(processes.together(uri, [work] * 2, AE_RUN="nightly/1"))
            found["two runs"] += len(runs_in(uri)) != several + 1
            experiment = client.get_experiment_by_name(EXPERIMENT)
            assert not [name for name in experiment.tags if name.startswith(TICKET)]
    record(f"{several} trainings that end at once, against an MLflow server", count, found)
    assert not any(found.values()), found


def test_the_ticket_of_another_machine_counts_only_for_a_while(tmp_path, empty_store, monkeypatch):
    from ae_pipelines.tracking import turns

    stores.copy(empty_store, tmp_path)
    client = MlflowClient(stores.address(tmp_path))
    experiment = client.create_experiment("turns")
    client.set_experiment_tag(experiment, f"{TICKET}0", json.dumps({"number": "1"} | this_process() | {"ae.host": "x"}))
    passed = iter(range(0, 10_000, 100))
    monkeypatch.setattr(turns.time, "monotonic", lambda: float(next(passed)))
    monkeypatch.setattr(turns.time, "sleep", lambda _: None)
    with turns.on_server(client, experiment), turns.on_server(client, experiment):
        (ticket,) = client.get_experiment(experiment).tags
    assert ticket != f"{TICKET}0"
    assert next(passed) * 1.0 > turns.LONGEST_ELSEWHERE
    assert client.get_experiment(experiment).tags == {}
