import numpy as np
import pytest
from matplotlib.colors import to_hex

from ae_pipelines.plots import latent_map
from ae_pipelines.plots.colours import NAMED, OTHERS, UNKNOWN, colours, matched


def points(count):
    return np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)


def drawn(*shown):
    return latent_map.latent_map(*shown, "kmeans", "A map")


def layers(axis):
    """Colour, number of points and order of each layer of a map."""
    return [(to_hex(one.get_facecolor()[0]), len(one.get_offsets()), one.get_zorder()) for one in axis.collections
            if len(one.get_offsets())]  # fmt: skip


def test_a_group_has_the_colour_of_its_commonest_label():
    labels = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 10)
    groups = np.array([2] * 10 + [0] * 9 + [1] * 11, np.int32)
    of_labels, of_groups = matched(labels, groups)
    assert of_groups == {0: of_labels["b"], 1: of_labels["c"], 2: of_labels["a"]}


def test_of_two_groups_with_one_commonest_label_the_smaller_has_a_colour_of_its_own():
    labels = np.array(["a"] * 15 + ["b"] * 3)
    groups = np.array([0] * 5 + [1] * 10 + [0] * 3, np.int32)
    of_labels, of_groups = matched(labels, groups)
    assert of_groups[1] == of_labels["a"]
    assert of_groups[0] not in of_labels.values()


def test_a_group_without_labels_has_a_colour_of_its_own():
    of_labels, of_groups = matched(np.array(["a", "a", "", ""]), np.array([0, 0, 1, -1], np.int32))
    assert of_groups[0] == of_labels["a"]
    assert of_groups[1] not in of_labels.values()
    assert set(of_groups) == {0, 1}


def test_both_maps_show_these_colours():
    labels, groups = np.repeat(["a", "b"], 20), np.repeat([1, 0], 20).astype(np.int32)
    figure = drawn(points(40), labels, groups)
    left, right = figure.get_axes()
    assert {colour for colour, *_ in layers(left)} == {colour for colour, *_ in layers(right)}
    assert [text.get_text() for text in left.texts] == ["a", "b"]
    assert to_hex(left.texts[0].get_bbox_patch().get_edgecolor()) == to_hex(
        right.texts[1].get_bbox_patch().get_edgecolor()
    )


@pytest.mark.parametrize("names", [["a"], ["a", "b"], [f"{number}" for number in range(8)]])
def test_rows_without_a_label_are_grey_behind_all_others_and_counted(names):
    labels = np.array([*np.repeat(names, 4), *[""] * 30])
    figure = drawn(points(len(labels)), labels, np.zeros(len(labels), np.int32))
    behind, *others = sorted(layers(figure.get_axes()[0]), key=lambda layer: layer[2])
    assert behind == (to_hex(UNKNOWN), 30, behind[2])
    assert all(order > behind[2] for *_, order in others)
    for colour, *_ in others:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) > 30 or red < 60, f"{colour} is grey"
    assert "30 without a label" in str(texts_of(figure.get_axes()[0]))


def texts_of(axis):
    legend = axis.get_legend()
    return [axis.get_xlabel(), *([] if legend is None else [text.get_text() for text in legend.get_texts()])]


def test_of_200_classes_the_largest_are_named_and_the_others_counted():
    labels = np.concatenate([np.repeat([f"{number:03}"], 3 + (number >= 180)) for number in range(200)])
    assert list(colours(labels)) == [f"{number}" for number in range(180, 200)]
    figure = drawn(points(len(labels)), labels, np.zeros(len(labels), np.int32))
    names = texts_of(figure.get_axes()[0])[1:]
    assert names == [*(f"{number}" for number in range(180, 200)), "180 others"]
    assert (to_hex(OTHERS), 540) in [layer[:2] for layer in layers(figure.get_axes()[0])]
    assert NAMED == 20


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    labels = np.array(["_hidden", "x" * 300] * 20)
    figure = drawn(points(40), labels, np.zeros(40, np.int32))
    assert "_hidden" in texts_of(figure.get_axes()[0])


@pytest.mark.parametrize(
    ("labels", "groups", "maps"), [(True, False, 1), (False, True, 1), (False, False, 1), (True, True, 2)]
)
def test_a_map_shows_what_there_is(labels, groups, maps):
    figure = drawn(points(8), np.repeat(["a", "b"], 4) if labels else None, np.zeros(8, np.int32) if groups else None)
    assert len(figure.get_axes()) == maps
    assert all(sum(number for _, number, _ in layers(axis)) == 8 for axis in figure.get_axes())
