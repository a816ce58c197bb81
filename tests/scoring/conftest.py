"""Models that were trained and registered by real runs, once, for all tests of scoring."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stores
from scoring.places import IMAGES, Place, train


@pytest.fixture(scope="session", autouse=True)
def quick_exports(operations_once: None) -> None:
    """Most of these tests export models."""


@pytest.fixture(scope="session")
def place_of(made_once: Callable[..., Path], empty_store: Path) -> Callable[..., Place]:
    """The place of this name, in which models were trained on these values."""

    def place_of(name: str, values: np.ndarray, layout: str) -> Place:
        def fill(folder: Path) -> None:
            stores.copy(empty_store, folder)
            train(Place(folder), values, layout)

        return Place(made_once(name, fill))

    return place_of


@pytest.fixture(scope="session")
def trained_on_images(place_of: Callable[..., Place]) -> Place:
    return place_of("trained_on_images", IMAGES, "NHW")


@pytest.fixture(scope="session")
def trained_on_rows(place_of: Callable[..., Place]) -> Place:
    """On standardised floats."""
    return place_of("trained_on_rows", IMAGES.reshape(len(IMAGES), -1).astype(np.float32), "NF")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Place], Place]:
    """A place of one's own, with its registry."""

    def copied(place: Place) -> Place:
        stores.copy(place.folder, tmp_path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))
        return Place(tmp_path)

    return copied


@pytest.fixture
def images(trained_on_images: Place, copied: Callable[[Place], Place]) -> Place:
    return copied(trained_on_images)


@pytest.fixture
def rows(trained_on_rows: Place, copied: Callable[[Place], Place]) -> Place:
    return copied(trained_on_rows)
