"""Adam as the loop uses it: made for a player, kept fast, saved in checkpoints and restored from them."""

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from ae_pipelines.models import Player
from ae_pipelines.training.options import TrainOptions


def adam_for(player: Player, options: TrainOptions, rate: Tensor | None = None) -> Optimizer:
    """Fused Adam on the player's parameters; AdamW where weights decay. `rate`: a scalar on the device where each step
    finds its learning rate, so that it can be recorded (`graphs`)."""
    decay = options.weight_decay
    kind = AdamW if decay else Adam
    betas = (options.adam_beta1, 0.999)
    if rate is None:
        return kind(player.parameters, options.learning_rate, betas, weight_decay=decay, fused=True)
    optimiser = kind(player.parameters, rate, betas, weight_decay=decay, fused=True, capturable=True)
    optimiser._warned_capturable_if_run_uncaptured = True  # the first steps are not recorded
    return optimiser


@torch.no_grad()
def drop_denormals(optimiser: Optimizer) -> None:
    """Set vanishing moments to zero.

    Weights whose gradient stays zero (pixels that are always black, units that are silent) have moments that
    decay into denormal numbers, on which CPUs are many times slower: late in an MNIST training, steps of a
    small dense net took twice as long. A moment below 1e-30 moves no weight: it is divided by at least Adam's
    epsilon, 1e-8.
    """
    for slots in optimiser.state.values():
        for name in ("exp_avg", "exp_avg_sq"):
            slots[name].copy_(nn.functional.hardshrink(slots[name], 1e-30))


def moments(player: Player, optimiser: Optimizer) -> dict[str, Tensor]:
    """State of the optimiser, by the parameter's place and the slot's name ("3.exp_avg")."""
    return {
        f"{place}.{name}": slot
        for place, parameter in enumerate(player.parameters)
        for name, slot in optimiser.state.get(parameter, {}).items()
    }


def restore(player: Player, optimiser: Optimizer, remembered: dict[str, Tensor]) -> None:
    """Give the optimiser what `moments` took from another one."""
    for name, slot in remembered.items():
        place, _, slot_name = name.partition(".")
        parameter = player.parameters[int(place)]
        optimiser.state[parameter][slot_name] = laid_out_like(parameter, slot)


def laid_out_like(parameter: Tensor, slot: Tensor) -> Tensor:
    """`slot` on the parameter's device and, if both have one shape, with the parameter's strides: fused Adam walks
    through the memory of both at once."""
    if slot.shape != parameter.shape:
        return slot.to(parameter.device)
    return torch.empty_like(parameter, dtype=slot.dtype).copy_(slot)
