"""Effective rank."""

import numpy as np

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective


@OBJECTIVES.register("rankme")
class RankMe(Objective):
    """In how many directions latents differ: exp of the entropy of the singular values of those that judge, less their
    mean; between 1 and their length (Garrido et al. 2023, who keep the mean).

    Misleading between latents of different length: it mostly follows that, and noise in every direction has the highest
    rank of all.
    """

    name = "rankme"
    higher_is_better = True
    title = "effective rank of latents"
    misleads = "mostly follows the latent size; at one size it says little of what latents are good for"

    def measures(self, judged: Judged) -> dict[str, float]:
        return {self.name: rankme(judged.vectors)}


def rankme(vectors: np.ndarray) -> float:
    """The effective rank of vectors (n, d), centred."""
    import torch

    from ae_pipelines.training.collapse import effective_rank

    return effective_rank(torch.from_numpy(vectors.astype(np.float64)))
