"""Every picture with names that pictures are not made for: nothing fails, is cut or lies over something else."""

import warnings
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import DriftOptions, compare
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.downstream.search import Line
from ae_pipelines.generation.arithmetic import Arithmetic
from ae_pipelines.generation.gaps import Gaps
from ae_pipelines.generation.interpolation import Ends, Interpolation
from ae_pipelines.generation.manifold import Manifold
from ae_pipelines.generation.traversal import Traversal
from ae_pipelines.plots import (
    anomalies,
    classes,
    clusters,
    contrast,
    drift,
    generation,
    latent_map,
    neighbours,
    rejects,
    restored,
    rows,
    scoreboard,
    training,
)

NAMES = {
    "odd": [
        *("$0-$50_$", "$50-$100_x^", "$$", r"\$5 or \frac"),
        *("日本", "ñandú", "Ελλάδα", "😀", "عربي", "हिन्दी", "日" * 60),
        *("_hidden", "a\nb", " cat", "cat", "x" * 300, "x" * 299 + "y", "\x07bell", "zero\u200bwidth"),
    ],
    "sixty letters": [f"the {number}th of the classes, whose names are sixty letters long" for number in range(6)],
    "200 classes": [f"class number {number}" for number in range(200)],
    "none": [""],
}


SHARE = 0.5
"""Of a pixel: boxes are rounded up."""


@pytest.fixture(scope="module", autouse=True)
def placed_already():
    """Points that are in the plane stay where they are: where t-SNE puts them says nothing of names, and takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrast, "placed", lambda vectors, layout, seed: vectors)
        yield


def labels_of(names, count):
    """Labels of so many rows: all names, every seventh row unlabelled."""
    values = np.resize(np.array(names), count)
    values[4::7] = ""
    return np.array([*values[:-1], names[-1]])


def points(count, size, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


def images(*shape):
    return np.random.default_rng(0).random((*shape, 1, 6, 6), np.float32)


def a_latent_map(names):
    labels = labels_of(names, 3 * max(20, len(names)))
    groups = np.arange(len(labels)) % (len(names) + 1) - 1
    return latent_map.latent_map(points(len(labels), 2), labels, groups, "kmeans", "A map")


def sizes_of(names):
    shown = names[:70]
    return pd.DataFrame(
        {
            "cluster": range(-1, len(shown)),
            "size": np.arange(len(shown) + 1)[::-1] * 30 + 1,
            "label": [None, *(name or None for name in shown)],
            "purity": [np.nan, *(1 - number / 100 if name else np.nan for number, name in enumerate(shown))],
        }
    )


def the_groups(names):
    return clusters.report(sizes_of(names), "kmeans", [], [], "silhouette")


def the_groups_and_their_number(names):
    return clusters.report(sizes_of(names), "gaussian_mixture", [2, 3, 4], [3.0, 2.0, 2.5], "bic")


def examples_of_groups(names):
    shown = range(min(20, len(names)))
    return clusters.examples({group: images(3 - group % 3) for group in shown}, sizes_of(names))


def examples_of_groups_of_vectors(names):
    shown = range(min(20, len(names)))
    return clusters.examples({group: points(5, len(names)) for group in shown}, sizes_of(names), names)


def the_confusion_matrix(names):
    counts = np.random.default_rng(0).integers(0, 3, (len(names), len(names))) + 2000 * np.eye(len(names), dtype=int)
    return classes.confusion_matrix(pd.DataFrame(counts, index=names, columns=names), 0.98765)


def samples_in_rows(names):
    shown = {"sample": points(12, len(names)), "output": points(12, len(names), 1)}
    return rows.examples(shown, f"recipe {names[0]} on {names[-1]}: samples of the test split", names)


def images_in_rows(names):
    return rows.examples({"sample": images(2), "output": images(2)}, f"recipe {names[0]} on {names[-1]}")


def the_oddest(names):
    shown = {"sample": images(3), "output": images(3), "residual": images(3)}
    scores = {"normal, held out": np.full(5, 1e-3), "anomalous, test": np.linspace(1, 2, 7)}
    return anomalies.oddest(shown, np.arange(3.0), scores, 1.5, 5, f"The oddest by {names[-1]}: 12 of 24")


def the_oddest_vectors(names):
    shown = {name: points(12, len(names)) for name in ("sample", "output", "residual")}
    scores = {"normal, test": np.ones(1)}
    return anomalies.oddest(shown, np.arange(12) * -1.234e-5, scores, 1.0, 1, f"The oddest by {names[-1]}", names)


def two_ranges(names):
    errors = {"its own test samples": np.ones(3), "these samples": np.arange(1.0, 9)}
    return anomalies.two_ranges(errors, 0.5, 2.0, 300, f"not trained on data like this: {', '.join(names)[:700]}")


def the_rejects(names):
    manifest = SimpleNamespace(source=names[-1], read=1234567, accepted=1, rejected=1234566, duplicates=3)
    return rejects.rejects_summary(manifest, pd.Series(range(len(names), 0, -1), index=names))


def the_scoreboard(names):
    tasks = [("reconstruct", "mse"), ("few_labels_of_every_class", "error_at_10"), (names[-1][:80], "k_nn_accuracy")]
    entries = [
        {"encoder": name, "task": task, "metric": metric, "mean": number + 0.5, "sd": 0.1, "seconds": 60.0,
         "transductive": task == "reconstruct", "control": name == "pixels"}
        for number, name in enumerate([*names[:20], "pixels"]) for task, metric in tasks
    ]  # fmt: skip
    return scoreboard.scoreboard(pd.DataFrame(entries))


def maps_of_spaces(names):
    labels = [label or None for label in labels_of(names, 2 * max(20, len(names)))]
    spaces = {"latents": list(points(len(labels), 2)), "supervised_10": list(points(len(labels), 2, 1))}
    return contrast.contrast_maps(pd.DataFrame({"sample_id": range(len(labels)), "label": labels, **spaces}))


def new_samples(names):
    return generation.new_samples(images(100), tuple(names), f"{names[-1]}: new samples")


def the_manifold(names):
    labels = labels_of(names, max(40, 2 * len(names)))
    return generation.manifold(Manifold(images(5, 5), points(len(labels), 2), labels), f"{names[-1]}: two latents")


def an_interpolation(names):
    ends = Ends(points(2, 3), (names[0], names[-1]), images(2))
    return generation.interpolation(Interpolation(ends, {"linear": images(9)}, images(9)), names[-1])


def the_arithmetic(names):
    shown = np.resize(np.array(names), 30).tolist()
    said = f"z + mean({names[0]}) − mean({names[-1]})"
    return generation.arithmetic(Arithmetic(said, images(30), images(30), images(30), shown), names[-1])


def a_traversal(names):
    return generation.traversal(Traversal(np.arange(3), images(3, 7), np.ones(3)), f"{names[-1]}: one latent at a time")


def the_gaps(names):
    return generation.gaps([Gaps(name, images(4, 4), np.arange(16.0), 8.0) for name in (names[0], names[-1])])


def why_there_is_no_picture(names):
    return generation.said(f"none of the samples has the label {names[-1]}")


def the_neighbours(names):
    return neighbours.neighbours(lines_of(names, lambda count: images(count)), 2)


def neighbours_of_vectors(names):
    return neighbours.neighbours(lines_of(names, lambda count: points(count, len(names))), 2, names)


def lines_of(names, pictures):
    of_lines = [names[start : start + 8] for start in range(0, min(len(names), 24), 8)]
    return [Line(pictures(len(of)), list(of), [123.456] * (len(of) - 1)) for of in of_lines]


def images_restored(names):
    columns = [SimpleNamespace(clean=None, corrupted=image, baselines={"median": image}, restored=image) for image in
               images(2)]  # fmt: skip
    return restored.restored(columns, "median", names[-1])


def learning_curves(names):
    row = {"phase": "fit", "learning_rate": 1e-3} | {f"train/player/term_{n}": 1.0 for n in range(min(20, len(names)))}
    return training.learning_curves([{**row, "best_so_far": best} for best in (True, True, False)])


PICTURES = [
    a_latent_map,
    the_groups,
    the_groups_and_their_number,
    examples_of_groups,
    examples_of_groups_of_vectors,
    the_confusion_matrix,
    samples_in_rows,
    images_in_rows,
    the_oddest,
    the_oddest_vectors,
    two_ranges,
    the_rejects,
    the_scoreboard,
    maps_of_spaces,
    new_samples,
    the_manifold,
    an_interpolation,
    the_arithmetic,
    a_traversal,
    the_gaps,
    why_there_is_no_picture,
    the_neighbours,
    neighbours_of_vectors,
    images_restored,
    learning_curves,
]


def shown_texts(figure: Figure) -> list[Text]:
    """The texts that are seen: not those of ticks that lie outside their axis."""
    unseen = set()
    for axes in figure.get_axes():
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not (axes.axison and low <= tick.get_loc() <= high):
                    unseen |= {tick.label1, tick.label2}
            if not axes.axison:
                unseen |= {axis.label, axis.offsetText}
    return [one for one in figure.findobj(Text) if one.get_visible() and one.get_text() and one not in unseen]


def box_of(one: Text) -> np.ndarray:
    """Where it is seen, ((x, y), (x, y)): empty lines before it are not."""
    box = one.get_window_extent()
    lines = one.get_text().split("\n")
    empty = next(number for number, line in enumerate(lines) if line)
    return np.array([[box.x0, box.y0], [box.x1, box.y1 - empty * box.height / len(lines)]])


def check(figure: Figure) -> None:
    """Everything is in the picture, and no text lies over another."""
    figure.savefig(BytesIO())
    texts = shown_texts(figure)
    boxes = np.array([box_of(one) for one in texts]).reshape(-1, 2, 2)  # (texts, low and high, x and y)
    size = np.array(figure.canvas.get_width_height())
    assert size.max() < 6000
    cut = (boxes[:, 0] < -SHARE).any(axis=1) | (boxes[:, 1] > size + SHARE).any(axis=1)
    assert not cut.any(), f"cut: {[texts[number].get_text() for number in np.flatnonzero(cut)]}"
    shared = np.minimum(boxes[:, None, 1], boxes[None, :, 1]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    over = np.argwhere(np.triu((shared > 1).all(axis=2), k=1))
    assert not len(over), f"overlap: {[[texts[number].get_text() for number in pair] for pair in over]}"


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.__name__)
def test_any_name_is_drawn_whole_and_over_no_other(picture, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(picture(names))


def curve(counts, height):
    return [
        {"labels": count, "error_mean": height / (1 + place), "error_sd": 1.0, "draws": 10, "transductive": False}
        for place, count in enumerate(counts)
    ]


@pytest.mark.parametrize("counts", [[10, 100, 1000, 1437], [7], [10, 11, 12, 13, 14, 500, 510], [1, 60000]])
def test_numbers_of_labels_do_not_overlap(counts):
    curves = {"latents": curve(counts, 20.0), "pca": curve(counts, 60.0), "kind": "label_spreading"}
    check(classes.few_label_curve(curves))
    check(contrast.contrast_curve(curves | {"supervised": curve(counts, 90.0)}, counts[-1]))


@pytest.mark.parametrize("groups", [1, 12, 300])
def test_drift_of_many_groups_is_drawn_whole(groups):
    draw = np.random.default_rng(0)
    reference, batch = (
        Distribution(EncodedBy("mine", 30), points(900, 30, seed), draw.integers(-1, groups, 900).astype(np.int32),
                     draw.gamma(4, 1e-3, 900).astype(np.float32)) for seed in (0, 1)
    )  # fmt: skip
    check(drift.drift(reference, batch, compare(reference, batch, DriftOptions())))
