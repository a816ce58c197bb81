"""How much of what trials differ by is due to each field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_pipelines.report.tuned.trials import Objective, Trials
from ae_pipelines.tuning.trial import Outcome

FEWEST = 10
"""Of fewer complete trials nothing can be said."""
FORESTS = 3
"""Each grown from other random numbers, beside another field of random numbers."""
BY_CHANCE = "by chance"


@dataclass(frozen=True)
class Importance:
    """A field's share of what the objective varies by, alone and together with others; shares add up to 1."""

    path: str
    share: float


@dataclass(frozen=True)
class Importances:
    """Those of all fields, the largest first."""

    fields: list[Importance]
    by_chance: float
    """What a field of random numbers gets."""


def importances(trials: Trials, objective: Objective) -> Importances | None:
    """By fANOVA (Hutter et al. 2014) over the complete trials; a field that a trial does not have counts as the middle
    of those that others have. None for too few trials, or if all are equally good."""
    complete = [one for one in trials.study.outcomes if objective.of(one) is not None]
    values = [objective.of(one) or 0.0 for one in complete]
    columns = _columns(trials, complete)
    if len(complete) < FEWEST or len(set(values)) < 2 or not columns:
        return None
    found = [_shares(columns, values, seed) for seed in range(FORESTS)]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    chance = mean.pop(BY_CHANCE)
    ordered = sorted(mean, key=lambda name: -mean[name])
    return Importances([Importance(name, mean[name]) for name in ordered], chance)


def _columns(trials: Trials, complete: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """Where each trial lies on each field; fields that have one place only are left out."""
    columns = {}
    for field in trials.fields:
        places = np.array([field.place(one.values) for one in complete], float)
        known = places[np.isfinite(places)]
        if len(np.unique(known)) > 1:
            middle = float(np.sort(known)[len(known) // 2])
            filled = np.where(np.isfinite(places), places, middle)
            columns[field.path] = np.log(filled) if field.axis.log else filled
    return columns


def _shares(columns: dict[str, np.ndarray], values: Sequence[float], seed: int) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    noise = np.random.default_rng(seed).random(len(values))
    rows = {**columns, BY_CHANCE: noise}
    between = {
        name: optuna.distributions.FloatDistribution(float(places.min()), float(places.max()))
        for name, places in rows.items()
    }
    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it tells of each study that is made
    study = optuna.create_study()
    optuna.logging.set_verbosity(said)
    for number, value in enumerate(values):
        params: dict[str, Any] = {name: float(places[number]) for name, places in rows.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=between, value=value))
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
