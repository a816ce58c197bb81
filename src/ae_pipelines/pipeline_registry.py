"""Which stages make which pipeline."""

import pkgutil
from importlib import import_module

from kedro.pipeline import Pipeline

from ae_pipelines import pipelines

TRAIN = ("ingest", "fit", "embed", "cluster", "classify", "detect", "export", "register", "report")
LOOK = ("cluster", "classify", "detect", "search", "report")
SCORE = ("collect", "apply", "drift")


def register_pipelines() -> dict[str, Pipeline]:
    """Every stage by its name, `train` for the main job, `look` for all that is to be seen of latents that are there,
    `score` for what comes in later, and `__default__`."""
    names = [room.name for room in pkgutil.iter_modules(pipelines.__path__)]
    stages = {name: import_module(f"{pipelines.__name__}.{name}").create_pipeline() for name in names}
    train, look, score = (sum((stages[stage] for stage in names), start=Pipeline([])) for names in (TRAIN, LOOK, SCORE))
    ingested = {name: stages["ingest"] + stages[name] for name in ("scoreboard", "tune")}
    default = train + stages["search"]
    return {**stages, **ingested, "train": train, "look": look, "score": score, "__default__": default}
