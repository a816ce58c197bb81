import numpy as np
import pytest
import torch
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.samples.spec import SampleSpec

UPRIGHT = {"rotation": 0, "opacity": [1, 1]}


def marked(target, **options):
    return CorruptionChoice(kind="watermark", **options).build()(target, torch.Generator().manual_seed(0))


def black(height, width, count=200, channels=1):
    return torch.zeros(count, channels, height, width)


@pytest.fixture
def square(tmp_path):
    """A logo that is white all over."""
    return saved(tmp_path, np.full((40, 40), 255, np.uint8))


def saved(folder, pixels, name="logo.png"):
    Image.fromarray(pixels).save(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("rotation", [0, 20, 180])
def test_a_square_mark_covers_the_area_that_its_scale_says_and_none_of_it_is_cut_off(square, rotation):
    area = marked(black(32, 48), logo=square, scale=0.5, rotation=rotation, opacity=[1, 1]).sum((1, 2, 3))
    torch.testing.assert_close(area, torch.full((200,), 16.0**2), rtol=0.03, atol=0)  # half of the shorter side


def test_an_upright_mark_of_opacity_one_is_the_logo_itself(square):
    out = marked(black(32, 32), logo=square, scale=0.5, **UPRIGHT)
    assert (out > 0.999).sum((1, 2, 3)).min() >= 15**2
    assert (out > 0).sum((1, 2, 3)).max() <= 18**2


def test_rotation_turns_a_mark_and_keeps_its_proportions(tmp_path):
    bar = {"logo": saved(tmp_path, np.full((10, 80), 255, np.uint8)), "scale": 0.8, "opacity": [1, 1]}
    flat = (marked(black(40, 40), rotation=0, **bar) > 0.5).any(3).sum((1, 2))  # rows that are touched
    turned = (marked(black(40, 40), rotation=90, **bar) > 0.5).any(3).sum((1, 2))
    assert flat.max() <= 6
    assert turned.float().std() > 5
    assert turned.max() >= 28
    areas = marked(black(40, 40), rotation=90, **bar).sum((1, 2, 3))
    assert areas.std() / areas.mean() < 0.05


def test_marks_lie_all_over_the_image(square):
    out = marked(black(32, 32, count=500), logo=square, scale=0.3, **UPRIGHT)
    assert (out.amax(0) > 0.2).all()  # of a corner pixel, part
    rows = (out.sum((1, 3)) * torch.arange(32)).sum(1) / out.sum((1, 2, 3))  # centres: uniform in [4.3, 26.7]
    assert rows.mean().item() == pytest.approx(15.5, abs=1)
    assert rows.std().item() == pytest.approx(0.7 * 32 / 12**0.5, rel=0.1)


def test_opacity_is_drawn_between_its_ends(square):
    strongest = marked(black(32, 32), logo=square, scale=0.5, rotation=0, opacity=[0.2, 0.6]).amax((1, 2, 3))
    assert strongest.min().item() == pytest.approx(0.2, abs=0.02)
    assert strongest.max().item() == pytest.approx(0.6, abs=0.02)


def test_the_result_lies_between_the_image_and_the_colour(square):
    target = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    colour = torch.tensor([1, 0.5, 0])[:, None, None].expand(3, 16, 16)
    out = marked(target, logo=square, colour=[1, 0.5, 0])
    assert ((out - target) * (out - colour) <= 1e-7).all()
    half = marked(target, logo=square, scale=1, rotation=0, opacity=[0.5, 0.5], colour=[1, 0.5, 0])
    torch.testing.assert_close(half[..., 2:-2, 2:-2], ((target + colour) / 2)[..., 2:-2, 2:-2])


@pytest.mark.parametrize("side", [8, 28, 64])
def test_the_usual_mark_can_be_seen_at_any_size(side):
    out = marked(black(side, side))
    assert out.amax((1, 2, 3)).min() > 0.15
    assert out.mean((1, 2, 3)).mean().item() == pytest.approx(0.06, abs=0.03)


def test_a_mark_is_no_lighter_for_being_shrunk():
    shares = [marked(black(side, side), **UPRIGHT).mean().item() for side in (8, 16, 64, 200, 500)]
    assert shares == pytest.approx([shares[-1]] * 5, rel=0.15)


def test_a_logo_is_its_alpha_channel_or_its_brightness(tmp_path):
    ring = np.zeros((20, 20, 4), np.uint8)
    ring[5:15, :, 3] = 255  # black and opaque in the middle, transparent elsewhere
    alpha = saved(tmp_path, ring, "alpha.png")
    bright = saved(tmp_path, ring[..., 3], "bright.png")
    opaque = saved(tmp_path, np.dstack([ring[..., [3, 3, 3]], np.full((20, 20), 255, np.uint8)]), "opaque.png")
    first, *others = (marked(black(24, 24), logo=path) for path in (alpha, bright, opaque))
    assert first.max() > 0.5
    for other in others:
        assert torch.equal(first, other)


def test_a_logo_that_cannot_be_read_is_refused_by_its_path(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    whole = saved(tmp_path, np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / whole).read_bytes()[:500])
    saved(tmp_path, np.full((4, 4), 999, np.uint16), "deep.png")
    for name in ("none.png", "text.png", "cut.png", "deep.png", "."):
        with pytest.raises(InputError, match=f"watermark: cannot read the logo {tmp_path / name}: .*Give the path"):
            marked(black(8, 8), logo=str(tmp_path / name))


def test_a_text_that_the_font_cannot_write_is_refused():
    with pytest.raises(InputError, match="has no ß, 版: give a logo"):
        marked(black(8, 8), text="© maß 版")
    assert marked(black(8, 8), text="SAMPLE, no. 1\n(a) & [b]: 5 %?").max() > 0


def test_a_mark_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="the text ' ' has nothing to draw"):
        marked(black(8, 8), text=" ")
    with pytest.raises(InputError, match="logo.png is transparent, or black, all over"):
        marked(black(8, 8), logo=saved(tmp_path, np.zeros((4, 4), np.uint8)))


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="opacity: .*lower end first"):
        marked(black(8, 8), opacity=[0.9, 0.1])
    colourful = CorruptionChoice(kind="watermark", colour=[1, 0, 0]).build()
    with pytest.raises(InputError, match="colour of 3 levels, given images of 1 channels"):
        colourful.corrupted_spec(SampleSpec(shape=(1, 8, 8), dtype="uint8"))


@pytest.mark.parametrize("options", [{"text": "a\nb"}, {"text": "a much longer text than others have"}, {"text": "."}])
def test_texts_of_any_shape_stay_inside(options):
    out = marked(black(20, 30), **options, scale=0.6, rotation=0)
    border = torch.cat([out[:, :, 0], out[:, :, -1]], dim=-1)
    assert out.amax((1, 2, 3)).min() > 0.1
    assert border.amax() < 0.91
    assert (out.amax((1, 2)) > 0).sum(1).max() <= 20  # columns: 0.6 of 30, and a fraction on either side
    assert (out.amax((1, 3)) > 0).sum(1).max() <= 14
