"""A report in a browser: what people do with it, and what they see."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page
from watched import Watched

EVERYWHERE = "rows => rows.map(row => report.map.screen(row) ?? [NaN, NaN])"
START_ANEW = """() => {
    dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    report.theme('');
    const all = [...document.querySelectorAll('#layout, #colour, #search, .labelling input')];
    const used = all.filter(one => one.tagName === 'SELECT' ? one.selectedIndex : one.value);
    for (const field of used) {
        if (field.tagName === 'SELECT') field.selectedIndex = 0;
        else field.value = '';
        field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));
    }
    document.getElementById('fit').click();
    document.activeElement.blur();
    scrollTo(0, 0);
}"""
APART = 14.0
"""Pixels around a point in which there is no other, so that the pointer means this one."""


class ReportPage:
    """Places are pixels of the window, samples are named by their row in the store."""

    def __init__(self, page: Page, watched: Watched | None = None) -> None:
        self.page = page
        self.watched = watched
        page.evaluate("report.ready")
        self.drawn()

    def start_anew(self) -> None:
        """Undoes what the tests before did."""
        self.page.evaluate(START_ANEW)
        self.rest()

    def drawn(self) -> None:
        """Returns when the map shows all points."""
        self.page.evaluate("report.map.drawn()")

    def places(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where samples are on the map (n, 2); NaN where they are not on it."""
        return np.array(self.page.evaluate(EVERYWHERE, [int(row) for row in rows]), float)

    def select(self, picker: str, choice: str) -> None:
        """A choice of the map's pickers, `layout` or `colour`."""
        self.page.locator(f"#{picker}").select_option(choice)
        self.drawn()

    @property
    def selected(self) -> list[int]:
        """Rows of the samples that are selected or chosen."""
        return list(self.page.evaluate("report.selected"))

    def drag(self, outline: Sequence[tuple[float, float]]) -> None:
        """The pointer goes along an outline, pressed."""
        mouse = self.page.mouse
        mouse.move(*outline[0])
        mouse.down()
        for x, y in outline[1:]:
            mouse.move(x, y, steps=3)
        mouse.up()

    def find(self, text: str) -> None:
        """Looks for an id."""
        self.page.locator("#search").fill(text)
        self.page.locator("#search").press("Enter")

    def map_box(self) -> tuple[float, float, float, float]:
        """The map's left, top, right and bottom."""
        box = self.page.locator("#plot").bounding_box()
        assert box is not None
        return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]

    def lonely(self, rows: np.ndarray, count: int) -> list[int]:
        """Samples on the map that have no other near them, from different corners of it."""
        places = self.places(rows)
        left, top, right, bottom = self.map_box()
        inside = (places > [left + 20, top + 20]).all(axis=1) & (places < [right - 20, bottom - 20]).all(axis=1)
        distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        np.fill_diagonal(distances, np.inf)
        alone = np.flatnonzero(inside & (np.nanmin(distances, axis=1) > APART))
        assert len(alone) >= count, f"only {len(alone)} points lie alone"
        return [int(rows[alone[place]]) for place in np.linspace(0, len(alone) - 1, count).astype(int)]

    def picture(self) -> np.ndarray:
        """What the window shows (height, width, 3), uint8."""
        return pixels(self.page.screenshot())

    def rest(self) -> None:
        """Takes the pointer from the map, so that it rings no point."""
        self.page.mouse.move(2, 2)
        self.drawn()


def shown(element: Locator) -> np.ndarray:
    """What is seen of an element (height, width, 3), uint8."""
    return pixels(element.screenshot())


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def colour_of(css: str) -> tuple[int, ...]:
    """rgb(1, 2, 3) as numbers."""
    return tuple(int(float(part)) for part in css[css.index("(") + 1 : css.index(")")].split(",")[:3])


def contrast(first: Sequence[int], second: Sequence[int]) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    darker, lighter = sorted(map(_luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Sequence[int]) -> float:
    shares = np.asarray(colour[:3]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
