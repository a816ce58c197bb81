"""Draws `pipeline.png`, the stages as the README shows them: `python docs/images/draw_pipeline.py`."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

WIDTH, HEIGHT = 900, 652  # pixels in the README; the file has twice as many each way
LINE = 17  # between lines of text
HEADER = 28  # of a box, with the stage's name
INK, GREY = "#1f2933", "#66727f"
BLUE, GREEN, ORANGE = "#2b6cb0", "#2f855a", "#c05621"

Box = tuple[float, float, float, float]  # left, top, width, height


def points(pixels: float) -> float:
    """Of a font: a README's pixel is a hundredth of an inch here, a point a 72nd."""
    return pixels * 0.72


def stage(axes: Axes, box: Box, name: str, takes: list[str], makes: list[str], colour: str) -> None:
    left, top, width, height = box
    outline = {"boxstyle": "round,pad=0,rounding_size=7", "linewidth": 1.4}
    axes.add_patch(FancyBboxPatch((left, top), width, height, facecolor=colour, edgecolor=colour, **outline))
    inner = (left + 1.5, top + HEADER), width - 3, height - HEADER - 1.5
    axes.add_patch(FancyBboxPatch(*inner, facecolor="white", edgecolor="white", boxstyle="round,pad=0,rounding_size=5"))
    bold = {"fontsize": points(16), "fontweight": "bold", "color": "white"}
    axes.text(left + width / 2, top + HEADER / 2, name, ha="center", va="center", **bold)
    y = top + HEADER + 14
    for word, lines, ink in (("in", takes, GREY), ("out", makes, INK)):
        axes.text(left + 9, y, word, va="center", fontsize=points(11), color=colour, fontweight="bold")
        for line in lines:
            axes.text(left + 36, y, line, va="center", fontsize=points(12.5), color=ink)
            y += LINE
        y += 5


def line(axes: Axes, *corners: tuple[float, float]) -> None:
    axes.plot(*zip(*corners, strict=True), color=INK, linewidth=1.6, solid_joinstyle="round")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, color=colour, **style))


def heading(axes: Axes, y: float, name: str, rest: str, colour: str) -> None:
    axes.text(12, y, name, va="center", fontsize=points(17), fontweight="bold", color=colour)
    axes.text(70, y, rest, va="center", fontsize=points(13.5), color=GREY)


def training(axes: Axes) -> None:
    heading(axes, 20, "train", "once, or every week:  kedro run --pipeline=train", BLUE)
    width, middle = 154, 206
    column = [12 + place * (width + 26.5) for place in range(5)]

    def tall(place: int, name: str, takes: list[str], makes: list[str]) -> None:
        stage(axes, (column[place], middle - 75, width, 150), name, takes, makes, BLUE)

    tall(0, "ingest", ["images, arrays", "or tables"], ["samples;", "what was left", "out, and why"])
    tall(1, "fit", ["samples,", "a recipe"], ["autoencoder,", "learning curves,", "examples"])
    tall(2, "embed", ["autoencoder,", "samples"], ["latents.parquet,", "encoder, decoder;", "the same by PCA"])
    arrow(axes, (column[0] + width, middle), (column[1], middle))
    arrow(axes, (column[1] + width, middle), (column[2], middle))

    tops, height = (42, 156, 270), 100
    for top, name, takes, makes in zip(
        tops,
        ("cluster", "classify", "detect"),
        (["latents"], ["latents, labels"], ["latents, errors"]),
        (["groups, and what", "is in them"], ["classes, with", "probabilities"], ["odd samples,", "a threshold"]),
        strict=True,
    ):
        stage(axes, (column[3], top, width, height), name, takes, makes, BLUE)
        side = top + height / 2
        arrow(axes, (column[3] - 15, side), (column[3], side))
        line(axes, (column[3] + width, side), (column[4] - 15, side))
    line(axes, (column[2] + width, middle), (column[3] - 15, middle))
    line(axes, (column[3] - 15, 92), (column[3] - 15, 320))
    line(axes, (column[4] - 15, 92), (column[4] - 15, 320))
    arrow(axes, (column[4] - 15, 92), (column[4], 92))
    last = column[4] + width / 2
    stage(axes, (column[4], 42, width, 83), "export", ["all models"], ["ONNX files"], BLUE)
    arrow(axes, (last, 125), (last, 142))
    stage(
        axes, (column[4], 142, width, 100), "register", ["all models"], ["one version; best", "is the champion"], BLUE
    )
    arrow(axes, (last, 242), (last, 259))
    stage(axes, (column[4], 259, width, 111), "report", ["all of this"], ["a page to look", "at, a latent map"], BLUE)
    for place, bottom in enumerate((281, 281, 281, 370, 370)):
        arrow(axes, (column[place] + width / 2, bottom), (column[place] + width / 2, 400), ORANGE)


def tracking(axes: Axes) -> None:
    style = {"boxstyle": "round,pad=0,rounding_size=7", "linewidth": 1.4, "facecolor": "#fdf3ea", "edgecolor": ORANGE}
    axes.add_patch(FancyBboxPatch((12, 400), WIDTH - 24, 56, **style))
    axes.text(28, 428, "MLflow", va="center", fontsize=points(17), fontweight="bold", color=ORANGE)
    what = "every run: parameters, metrics, pictures, status", "registry: versions, one of them the champion"
    axes.text(112, 428, what[0], va="center", fontsize=points(13.5), color=INK)
    axes.text(WIDTH - 28, 428, what[1], va="center", ha="right", fontsize=points(13.5), color=INK)


def scoring(axes: Axes) -> None:
    heading(axes, 489, "score", "every night:", GREEN)
    axes.text(12, 513, "kedro run --pipeline=score", va="center", fontsize=points(13.5), color=GREY)
    top, width, height = 536, 250, 100
    column = [12 + place * (width + 63) for place in range(3)]
    stage(
        axes,
        (column[0], top, width, height),
        "collect",
        ["new data, the champion"],
        ["new samples;", "what was left out"],
        GREEN,
    )
    stage(
        axes,
        (column[1], top, width, height),
        "apply",
        ["new samples not scored yet"],
        ["a row of scores each:", "group, class, anomaly"],
        GREEN,
    )
    stage(
        axes,
        (column[2], top, width, height),
        "drift",
        ["new scores, a reference"],
        ["a verdict: are new data", "still like the training data?"],
        GREEN,
    )
    arrow(axes, (column[0] + width - 25, 456), (column[0] + width - 25, top), ORANGE)
    axes.text(column[0] + width - 16, 497, "the champion", va="center", fontsize=points(12.5), color=ORANGE)
    for place in (1, 2):
        arrow(axes, (column[place] + width / 2, top), (column[place] + width / 2, 456), ORANGE)
    arrow(axes, (column[0] + width, top + 50), (column[1], top + 50))
    arrow(axes, (column[1] + width, top + 50), (column[2], top + 50))


def draw() -> Figure:
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=200, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    training(axes)
    tracking(axes)
    scoring(axes)
    return figure


if __name__ == "__main__":
    picture = Path(__file__).with_name("pipeline.png")
    draw().savefig(picture)
    Image.open(picture).convert("RGB").quantize(64).save(picture, optimize=True)  # a quarter of the bytes
