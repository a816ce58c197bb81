"""Corruptions that belong together, by what samples show: `loader.augment: photos`. Cheap to import."""

from typing import Any

from ae_pipelines.base.errors import InputError, suggestion

AUGMENTATIONS: dict[str, list[dict[str, Any]]] = {
    "photos": [{"kind": "crop"}, {"kind": "colours"}],
    "objects": [
        {"kind": "crop", "scale": (0.5, 1.0)},
        {"kind": "affine", "shift": 0, "rotation": 10, "scaling": 0, "shear": 0.1, "outside": "border"},
        {"kind": "colours", "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.03, "grey": 0},
    ],
    "glyphs": [{"kind": "affine", "shift": 0.07, "shift_unit": "share", "outside": "border"}],
    "series": [{"kind": "scaling"}, {"kind": "gaussian_noise", "noise_level": 0.1}, {"kind": "masking", "share": 0.1}],
    "table": [{"kind": "cut_mix"}],
    "none": [],
}
"""What is done to samples of each sort, in order: all of it leaves what they show as it is."""


def augmentation(name: str) -> list[dict[str, Any]]:
    """The corruptions of a set; `InputError` names the known ones."""
    if name not in AUGMENTATIONS:
        raise InputError(f"no augmentation called {name!r}; {suggestion(name, sorted(AUGMENTATIONS))}")
    return AUGMENTATIONS[name]
