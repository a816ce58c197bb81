"""Samples are odd if the autoencoder cannot reconstruct them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.detectors import DETECTORS
from ae_pipelines.latents.file import Latents


@dataclass(frozen=True)
class ErrorColumn:
    """An error that `embed` has measured already."""

    name: str

    def scores(self, latents: Latents, rows: np.ndarray) -> np.ndarray:
        values = latents.column(self.name).to_numpy(np.float32, na_value=np.nan)[rows]
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise InputError(f"{bad} of {len(values)} rows have no finite {self.name}: run embed again")
        return values


@DETECTORS.register("reconstruction_mse")
@dataclass(frozen=True, kw_only=True)
class ReconstructionMse:
    """Squared reconstruction error, averaged over features."""

    needs: ClassVar[tuple[str, ...]] = ("reconstruction_error",)

    def fit(self, latents: Latents, rows: np.ndarray, seed: int) -> ErrorColumn:
        return ErrorColumn("reconstruction_error")


@DETECTORS.register("blurred_residual")
@dataclass(frozen=True, kw_only=True)
class BlurredResidual:
    """‖box₃ₓ₃(x̂ - x)‖² / ‖x‖², of images: errors over an area count, noise in single pixels does not, and bright
    images are not odder than dark ones."""

    needs: ClassVar[tuple[str, ...]] = ("blurred_error",)

    def fit(self, latents: Latents, rows: np.ndarray, seed: int) -> ErrorColumn:
        return ErrorColumn("blurred_error")
