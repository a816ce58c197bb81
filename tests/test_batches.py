import pytest
import torch
from making import images

from ae_pipelines.batches import Batches
from ae_pipelines.corruptions import CorruptionChoice
from ae_pipelines.errors import InputError

SAMPLES = torch.from_numpy(images(103))
NOISE = CorruptionChoice(kind="gaussian_noise").build()


def batches(**options):
    return Batches(SAMPLES, **{"batch_size": 10, "scale": 1 / 255} | options)


def test_an_epoch_shows_every_row_at_most_once_and_leaves_out_less_than_a_batch():
    rows = torch.cat([batch.rows for batch in batches().epoch(0)])
    assert len(rows) == 100 == len(rows.unique())


def test_ordered_batches_show_every_row_in_order():
    rows = torch.cat([batch.rows for batch in batches(shuffle=False).epoch(3)])
    assert rows.tolist() == list(range(103))
    assert len(batches(shuffle=False)) == 11


def test_the_order_follows_from_seed_and_epoch_alone():
    def order(seed, epoch):
        return torch.cat([batch.rows for batch in batches(seed=seed).epoch(epoch)]).tolist()

    torch.manual_seed(1)
    first = order(0, 3)
    torch.manual_seed(2)
    assert order(0, 3) == first
    assert order(0, 4) != first
    assert order(1, 3) != first


def test_an_epoch_started_late_goes_on_with_the_same_batches():
    whole = list(batches(corrupt=NOISE).epoch(2))
    late = list(batches(corrupt=NOISE).epoch(2, start=4))
    for expected, found in zip(whole[4:], late, strict=True):
        torch.testing.assert_close(found.input, expected.input, rtol=0, atol=0)
        torch.testing.assert_close(found.target, expected.target, rtol=0, atol=0)


def test_targets_are_the_samples_scaled():
    batch = next(batches().epoch(0))
    torch.testing.assert_close(batch.target, SAMPLES[batch.rows].float() / 255)
    assert batch.input is batch.target


def test_corruption_touches_the_input_and_not_the_target():
    clean, noisy = next(batches().epoch(0)), next(batches(corrupt=NOISE).epoch(0))
    torch.testing.assert_close(noisy.target, clean.target)
    assert (noisy.input - noisy.target).std().item() == pytest.approx(0.3, rel=0.1)


def test_rows_limit_what_is_shown():
    rows = torch.tensor([5, 50, 99])
    shown = next(batches(rows=rows, batch_size=3).epoch(0)).rows
    assert sorted(shown.tolist()) == [5, 50, 99]


def test_fewer_samples_than_a_batch_are_refused():
    with pytest.raises(InputError, match="103 samples do not fill one batch of 200"):
        batches(batch_size=200)
