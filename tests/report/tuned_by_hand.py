"""Studies as they would be, without any training."""

import numpy as np
import pandas as pd

from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION, Found, Study
from ae_pipelines.tuning.space import Among, Range, Space
from ae_pipelines.tuning.trial import Outcome

SPACE = Space(
    name="course",
    fields={
        "model.latent_size": Range(low=8, high=128, log=True),
        "model.kind": Among(choices={"autoencoder": "autoencoder", "vae": "vae"}),
        "model.beta": Range(low=0.1, high=4, log=True, when={"model.kind": "vae"}),
        "model.net.widths": Among(choices={"narrow": [250, 100], "wide": [512, 128], "deep": [512, 256, 64]}),
        "loader.corruptions.0.noise_level": Range(low=0, high=0.6),
        "training.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "loader.batch_size": Among(choices={"32": 32, "128": 128, "512": 512}),
    },
)
OWN = {
    "model.latent_size": 10,
    "model.kind": "autoencoder",
    "model.net.widths": [250, 100],
    "loader.corruptions.0.noise_level": 0.0,
    "training.learning_rate": 1e-3,
    "loader.batch_size": 32,
}
PRUNED, FAILED = (5, 9, 11, 14, 17, 18, 22, 25, 29, 31, 34, 37), (7, 20)
ERROR = "the loss is not a number after 3 epochs: give a smaller training.learning_rate"


def study(
    trials: int = 40,
    objectives: tuple[str, ...] = ("classifier",),
    pruned: tuple[int, ...] = PRUNED,
    failed: tuple[int, ...] = FAILED,
) -> Study:
    """Trials that get better with latent size, width and noise, as far as chance allows."""
    chance = np.random.default_rng(0)
    outcomes = [_outcome(number, objectives, number in pruned, number in failed, chance) for number in range(trials)]
    higher = [name not in ("seconds", "latent_size", "reconstruction") for name in objectives]
    return Study("3f2a9c41", "course", "mnist", SPACE, list(objectives), higher, outcomes, 612.0)


def found(of: Study | None = None, **changed) -> Found:
    """The study with its winner, compared."""
    of = study() if of is None else of
    best = of.best()
    rows = [
        (VALIDATION, of.objectives[0], (0.902, 0.004), (0.948, 0.003)),
        (TEST, "classify/accuracy", (0.905, 0.003), (0.951, 0.002)),
        (TEST, "few_labels/error_with_100_labels", (24.7, 0.9), (19.8, 0.7)),
        (TEST, "reconstruction/mse", (0.0140, 0.0002), (0.0141, 0.0004)),
    ]
    table = [
        {"who": who, "rows": part, "metric": metric, "mean": mean, "sd": sd, "seeds": 3}
        for part, metric, *both in rows
        for who, (mean, sd) in zip((AS_IT_WAS, TUNED), both, strict=True)
    ]
    given = {
        "winner": best[-1] if best else 0,
        "compared": pd.DataFrame(table),
        "verdict": "The winner is better than course as it was: classifier 0.948 ± 0.003 against 0.902 ± 0.004.",
    }
    return Found(of, **given | changed)


def _outcome(number, objectives, pruned, failed, chance) -> Outcome:
    values = OWN if number == 0 else _drawn(chance)
    worth = (
        0.78
        + 0.05 * np.log(values["model.latent_size"] / 8)
        + 0.02 * (len(values["model.net.widths"]) > 2)
        + 0.06 * values["loader.corruptions.0.noise_level"]
        - 0.02 * abs(np.log10(values["training.learning_rate"]) + 3) ** 2
        - 0.03 * (values["model.kind"] == "vae")
        + chance.normal(0, 0.006)
    )
    epochs = 3 if failed else int(chance.integers(3, 8)) if pruned else 20
    floor = 0.012 + 0.5 * (0.95 - worth) ** 2 + 0.02 * pruned
    curve = [float(floor + 0.05 * np.exp(-epoch / 3) + chance.normal(0, 0.0004)) for epoch in range(epochs)]
    seconds = 6 + values["model.latent_size"] / 10 + 30 / values["loader.batch_size"] * epochs / 10
    if pruned or failed:
        state = "failed" if failed else "pruned"
        return Outcome(number, state, values, curve, seconds=seconds, error=ERROR if failed else None)
    known = {"classifier": worth, "seconds": seconds, "latent_size": float(values["model.latent_size"])}
    measures = {name: known.get(name, worth) for name in objectives}
    return Outcome(number, "complete", values, curve, measures | {"reconstruction": curve[-1]}, seconds)


def _drawn(chance) -> dict:
    kind = ("autoencoder", "vae")[int(chance.random() < 0.3)]
    widths = list(SPACE.fields["model.net.widths"].choices.values())
    values = {
        "model.latent_size": int(np.exp(chance.uniform(np.log(8), np.log(128)))),
        "model.kind": kind,
        "model.net.widths": widths[chance.integers(3)],
        "loader.corruptions.0.noise_level": float(chance.uniform(0, 0.6)),
        "training.learning_rate": float(10 ** chance.uniform(-4, -2)),
        "loader.batch_size": (32, 128, 512)[chance.integers(3)],
    }
    return values | ({"model.beta": float(10 ** chance.uniform(-1, 0.6))} if kind == "vae" else {})
