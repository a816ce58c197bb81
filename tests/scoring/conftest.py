"""Models that were trained and registered by real runs, once, for all tests of scoring."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scoring.places import IMAGES, Place, trained


@pytest.fixture(scope="session")
def trained_on_images(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return trained(tmp_path_factory.mktemp("images"), IMAGES, "NHW")


@pytest.fixture(scope="session")
def trained_on_rows(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """On standardised floats."""
    return trained(tmp_path_factory.mktemp("rows"), IMAGES.reshape(len(IMAGES), -1).astype(np.float32), "NF")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Place], Place]]:
    """A place of one's own, with the same registry."""

    def copied(place: Place) -> Place:
        shutil.copytree(place.data, tmp_path / "data")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", place.registry)
        return Place(tmp_path, place.registry)

    return copied


@pytest.fixture
def images(trained_on_images: Place, copied: Callable[[Place], Place]) -> Place:
    return copied(trained_on_images)


@pytest.fixture
def rows(trained_on_rows: Place, copied: Callable[[Place], Place]) -> Place:
    return copied(trained_on_rows)
