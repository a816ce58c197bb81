"""Which stages make which pipeline."""

import pkgutil
from importlib import import_module

from kedro.pipeline import Pipeline

from ae_pipelines import pipelines

TRAIN = ("ingest", "fit", "embed", "cluster", "classify", "detect")


def register_pipelines() -> dict[str, Pipeline]:
    """Every stage by its name, `train` for the main job, and `__default__`."""
    names = [room.name for room in pkgutil.iter_modules(pipelines.__path__)]
    stages = {name: import_module(f"{pipelines.__name__}.{name}").create_pipeline() for name in names}
    train = sum((stages[stage] for stage in TRAIN), start=Pipeline([]))
    scoreboard = stages["ingest"] + stages["scoreboard"]
    return {**stages, "scoreboard": scoreboard, "train": train, "__default__": train + stages["search"]}
