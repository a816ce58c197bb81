import threading

import numpy as np
import pytest
import torch
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.models.inputs import as_tensor
from ae_pipelines.samples import shards
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training import streamed as streaming
from ae_pipelines.training.batches import Batches, Finish, OrderedBatches
from ae_pipelines.training.streamed import StreamedBatches

SAMPLES = torch.from_numpy(images(103))
NOISE = CorruptionChoice(kind="gaussian_noise").build()


def batches(rows=None, batch_size=10, shuffle=True, **options):
    return Batches(SAMPLES, Finish(scale=1 / 255, **options), rows=rows, batch_size=batch_size, shuffle=shuffle)


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


def test_binarised_values_are_0_or_1_with_the_probability_they_say_and_anew_in_each_epoch():
    values = torch.full((4000, 1), 51, dtype=torch.uint8)  # 0.2
    loader = Batches(values, Finish(scale=1 / 255, binarise=True), batch_size=4000)
    first, again, other = (next(loader.epoch(epoch)).target for epoch in (0, 0, 1))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert first.mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_is_binarised_is_both_target_and_uncorrupted_input():
    batch = next(batches(binarise=True).epoch(0))
    assert torch.equal(batch.input, batch.target)


def test_a_second_view_is_another_corruption_of_the_same_targets():
    batch = next(batches(corrupt=NOISE, second_view=True).epoch(0))
    assert not torch.equal(batch.input, batch.second)
    for view in (batch.input, batch.second):
        assert (view - batch.target).std().item() == pytest.approx(0.3, rel=0.1)
    assert next(batches(corrupt=NOISE).epoch(0)).second is None


def test_labels_go_with_their_samples():
    labels = torch.arange(103) % 7 - 1
    for shuffle in (True, False):
        for batch in batches(labels=labels, shuffle=shuffle).epoch(0):
            assert torch.equal(batch.label, labels[batch.rows])
    assert next(batches().epoch(0)).label is None


def test_steps_count_on_over_epochs_and_only_in_training():
    steps = [batch.step for epoch in (0, 1) for batch in batches().epoch(epoch)]
    assert steps == list(range(20))
    assert {batch.step for batch in batches(shuffle=False).epoch(0)} == {None}


def test_fewer_samples_than_a_batch_are_refused():
    with pytest.raises(InputError, match="103 samples do not fill one batch of 200"):
        batches(batch_size=200)


# -- streamed -------------------------------------------------------------------------------------------------

ROWS = np.setdiff1d(np.arange(1000), np.arange(0, 1000, 7))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 130 * 30)
    monkeypatch.setattr(streaming, "BLOCK_BYTES", 8 * 30)
    return write_store(tmp_path, ArraySource(images(1000)))


def streamed(store, rows=ROWS, batch_size=32, buffer_bytes=10 * 8 * 30, **options):
    finish = Finish(scale=store.spec.scale, **options)
    device = torch.device("cpu")
    return StreamedBatches(store, finish, rows=rows, batch_size=batch_size, device=device, buffer_bytes=buffer_bytes)


def test_a_streamed_epoch_shows_the_wanted_rows_once_each_with_their_own_values(store):
    shown = list(streamed(store).epoch(0))
    rows = torch.cat([batch.rows for batch in shown])
    assert len(shown) == len(streamed(store)) == len(ROWS) // 32
    assert len(rows.unique()) == len(rows)
    assert set(rows.tolist()) <= set(ROWS.tolist())
    stored = torch.cat([batch.target for batch in shown]) * 255
    np.testing.assert_array_equal(stored.round(), images(1000)[rows])


def test_streamed_batches_follow_from_seed_and_epoch_alone(store):
    def order(seed, epoch):
        return torch.cat([batch.rows for batch in streamed(store, seed=seed).epoch(epoch)]).tolist()

    assert order(0, 3) == order(0, 3)
    assert order(0, 4) != order(0, 3) != order(1, 3)


@pytest.mark.parametrize("start", [0, 1, 9, 20, 25, 26])
def test_a_streamed_epoch_started_late_goes_on_with_the_same_batches(store, start):
    whole = list(streamed(store, corrupt=NOISE).epoch(2))
    late = list(streamed(store, corrupt=NOISE).epoch(2, start=start))
    for expected, found in zip(whole[start:], late, strict=True):
        torch.testing.assert_close(found.rows, expected.rows, rtol=0, atol=0)
        torch.testing.assert_close(found.input, expected.input, rtol=0, atol=0)


def test_streamed_batches_mix_classes_nearly_like_a_full_shuffle_when_the_store_is_sorted_by_class(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 64)
    store = write_store(tmp_path, ArraySource(np.zeros((100_000, 1, 4, 4), np.uint8)))
    classes = torch.arange(100_000) // 10_000

    def spread(loader):
        counts = [torch.bincount(classes[batch.rows], minlength=10) for batch in loader.epoch(0)]
        return torch.stack(counts).float().std()

    def by_blocks(count):
        rows = np.arange(100_000)
        return spread(streamed(store, rows=rows, batch_size=256, buffer_bytes=count * 64 * 16))

    fully = spread(Batches(torch.zeros(100_000, 1), Finish(scale=1.0), batch_size=256))
    assert by_blocks(256) < 1.5 * fully
    assert by_blocks(4) > 4 * fully, "the test must notice a bad mix"


def test_streamed_batches_too_have_labels_steps_and_second_views(store):
    labels = torch.arange(1000) % 7
    loader = streamed(store, labels=labels, corrupt=NOISE, second_view=True)
    shown = [batch for epoch in (0, 1) for batch in loader.epoch(epoch)]
    assert [batch.step for batch in shown] == list(range(2 * len(loader)))
    for batch in shown:
        assert torch.equal(batch.label, labels[batch.rows])
        assert not torch.equal(batch.input, batch.second)


def test_an_epoch_that_is_left_leaves_no_thread_behind(store):
    before = threading.active_count()
    epoch = streamed(store).epoch(0)
    next(epoch)
    epoch.close()
    assert threading.active_count() == before


def test_fewer_streamed_samples_than_a_batch_are_refused(store):
    with pytest.raises(InputError, match="3 samples do not fill one batch of 32"):
        streamed(store, rows=ROWS[:3])


@pytest.mark.parametrize("kind", ["resident", "streamed", "ordered"])
def test_images_of_16_bits_stay_so_and_become_inputs_on_the_way(tmp_path, kind):
    values = np.random.default_rng(0).integers(0, 65_536, (300, 1, 6, 5), np.uint16)
    store = write_store(tmp_path, ArraySource(values))
    spec = store.spec.with_range(1000, 60_000)
    finish, rows = Finish(**spec.scaling._asdict()), np.arange(300)
    cpu = torch.device("cpu")
    loader = {
        "resident": lambda: Batches(as_tensor(store.read()), finish, batch_size=50),
        "streamed": lambda: StreamedBatches(store, finish, rows=rows, batch_size=50, device=cpu),
        "ordered": lambda: OrderedBatches(store, finish, rows=rows, batch_size=50, device=cpu),
    }[kind]()
    for batch in loader.epoch(0):
        np.testing.assert_array_equal(batch.target.numpy(), spec.as_input(values[batch.rows.numpy()]))
