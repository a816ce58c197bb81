import random
import unicodedata

import numpy as np
import pytest
from matplotlib.text import Text

from ae_pipelines.plots import text
from ae_pipelines.plots.figure import column_names, new_figure, spaced
from ae_pipelines.samples.spec import SampleSpec


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("cat", "cat"),
        ("_hidden", "_hidden"),
        ("ñandú Ελλάδα", "ñandú Ελλάδα"),
        ("a\nb\tc", "a↵b⇥c"),
        (" cat ", "␣cat␣"),
        ("  ", "␣␣"),
        ("日本", r"\u65e5\u672c"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\x07", r"\x07"),
        ("\udcff.png", r"\udcff.png"),
        ("$$", r"\$\$"),
        ("", ""),
    ],
)
def test_letters_without_a_glyph_are_escaped_and_blanks_are_seen(name, drawn):
    assert text.fitted(name, 10, 9) == drawn


@pytest.mark.parametrize("name", ["$0-$50_$", "$$", r"\$5 or \$6", "$x^$ $", "100 % $", "$"])
def test_dollar_signs_begin_no_formula(name):
    shown, formula = Text(0, 0, text.fitted(name, 10, 9))._preprocess_math(text.fitted(name, 10, 9))
    assert (shown, formula) == (name, False)


def test_text_is_as_wide_as_it_was_measured():
    figure, _ = new_figure(40, 2)
    draw = random.Random(0)
    letters = [letter for letter in map(chr, range(32, 0x250)) if unicodedata.category(letter)[0] in "LNPS"]
    for size in (6, 7, 8, 9, 10, 12):
        name = "".join(draw.choices(letters, k=60))
        shown = figure.suptitle(text.fitted(name, 40, size), fontsize=size)
        figure.canvas.draw()
        measured = text.width(text.fitted(name, 40, size), size) * text.DPI
        assert shown.get_window_extent().width == pytest.approx(measured, rel=0.01, abs=2)


@pytest.mark.parametrize("name", ["x" * 300, "word " * 60, "日" * 50, "a_b/c.d-" * 30])
@pytest.mark.parametrize("lines", [1, 2, 4])
def test_what_is_too_long_keeps_both_ends_and_its_room(name, lines):
    marked = f"begin{name}end"
    shown = text.fitted(marked, 1.5, 9, lines)
    assert shown.count("\n") < lines
    assert text.width(shown, 9) <= 1.5
    assert shown.startswith("begi")
    assert shown.endswith("nd")
    assert "…" in shown


def test_what_fits_in_lines_is_not_shortened_and_broken_after_words():
    assert text.fitted("the first of the classes", 1.0, 9, 3) == "the first of the\nclasses"


def test_names_that_look_the_same_when_shortened_have_numbers():
    names = ["x" * 100 + middle + "x" * 100 for middle in "abc"]
    shown = text.beside([*names, "y"], 0.3, 9).texts
    assert len({*shown}) == 4
    assert [one[:3] for one in shown[:3]] == ["1: ", "2: ", "3: "]
    assert shown[3] == "y"
    assert len({*text.beside(["y", "y"], 0.3, 9).texts}) == 1


def test_names_stand_upright_only_where_they_are_too_wide():
    assert text.under(["cat", "dog"], 0.5, 10).rotation == 0
    wide = text.under(["cat", "rhinoceros"], 0.5, 10)
    assert wide.rotation == 90
    assert wide.inches == pytest.approx(text.width("rhinoceros", 10))
    assert text.under(["black cat"], 0.6, 10).texts == ["black\ncat"]


def test_letters_of_other_installed_fonts_are_drawn(monkeypatch):
    monkeypatch.setattr(text, "OTHER_FONTS", ("no such font", "STIXGeneral"))  # comes with matplotlib too
    lacking = [chr(code) for code in range(0x2000, 0x1D800) if text.fitted(chr(code), 9, 9) != chr(code)]
    assert text.families() == ["DejaVu Sans", "STIXGeneral"]
    monkeypatch.setattr(text, "OTHER_FONTS", ())
    for cache in (text._fonts, text._drawn, text._advance):
        cache.cache_clear()
    before = [chr(code) for code in range(0x2000, 0x1D800) if text.fitted(chr(code), 9, 9) != chr(code)]
    assert {*lacking} < {*before}


def test_ticks_that_would_touch_are_left_out_and_the_last_stays():
    assert spaced([0, 1, 2], ["0", "1", "2"], 3, 9) == ["0", "1", "2"]
    assert spaced(np.log([10, 11, 12, 5000]), ["10", "11", "12", "5,000"], 3, 9) == ["", "", "12", "5,000"]
    assert spaced([], [], 3, 9) == []


def test_columns_have_names_only_where_features_are_columns():
    spec = SampleSpec(shape=(2,), dtype="float32", preprocessing={"columns": ["age", "$"]})
    assert column_names(spec) == ("age", "$")
    assert column_names(spec.model_copy(update={"shape": (3,)})) == ()
    assert column_names(SampleSpec(shape=(1, 2, 2), dtype="uint8")) == ()
