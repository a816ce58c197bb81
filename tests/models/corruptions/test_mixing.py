import torch

from ae_pipelines.models.corruptions.mixing import CutMix

ROWS = torch.arange(50)[:, None] + 1000 * torch.arange(40)  # a value tells its row and its column


def drawn(rows, share, seed=0):
    return CutMix(share=share)(rows, torch.Generator().manual_seed(seed))


def test_values_come_from_other_rows_and_the_same_column():
    out = drawn(ROWS, share=1.0)
    assert torch.equal(out // 1000, ROWS // 1000)
    assert (out != ROWS).all()


def test_a_share_of_the_values_is_replaced_each_by_another_rows():
    out = drawn(ROWS, share=0.6)
    replaced = out != ROWS
    assert abs(replaced.float().mean() - 0.6) < 0.03
    donors = out[0][replaced[0]] % 1000
    assert len(donors.unique()) > 10


def test_every_other_row_may_give():
    column = torch.arange(4).repeat(2000, 1).T  # 2,000 columns: the values are their rows
    assert drawn(column, share=1.0)[0].unique().tolist() == [1, 2, 3]


def test_channels_of_a_pixel_go_together():
    images = torch.arange(8.0)[:, None, None, None].expand(8, 3, 5, 6)
    out = drawn(images, share=0.5)
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert (out != images).any()


def test_a_sample_alone_stays_as_it_is():
    assert torch.equal(drawn(ROWS[:1], share=1.0), ROWS[:1])
