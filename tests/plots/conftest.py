import pytest

from ae_pipelines.plots import text


@pytest.fixture(autouse=True)
def only_the_font_that_is_always_there(monkeypatch):
    """Pictures are then the same on every machine."""
    monkeypatch.setattr(text, "OTHER_FONTS", ())
    caches = (text._fonts, text._drawn, text._advance)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
