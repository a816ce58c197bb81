"""How the learning rate changes: functions of the share of steps done, so there is no state to save."""

import math

from ae_pipelines.training.options import TrainOptions


def learning_rate(options: TrainOptions, done: float) -> float:
    """The learning rate when the share `done` of the steps is done."""
    peak = options.learning_rate
    match options.schedule:
        case "constant":
            return peak
        case "cosine":
            return peak * _half_cosine(done)
        case "one_cycle":
            return peak * (_rise(done / 0.3) if done < 0.3 else _half_cosine((done - 0.3) / 0.7))


def _half_cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _rise(done: float) -> float:
    return 0.04 + 0.96 * (1 - _half_cosine(done))  # from a 25th of the peak
