import base64
import gzip

import numpy as np

from ae_pipelines.report.page_data import neighbours
from ae_pipelines.report.page_data.packed import NO_PLACE, Block, halves, latent_bytes, places, text_columns


def unpacked(block: Block) -> dict[str, np.ndarray]:
    content = gzip.decompress(base64.b64decode(block.text()))
    return {
        name: np.frombuffer(content, part["type"], part["length"], part["offset"]) for name, part in block.index.items()
    }


def test_columns_come_back_as_they_were_and_start_at_multiples_of_four():
    block, rng = Block(), np.random.default_rng(0)
    columns = {
        "a": rng.integers(0, 255, 7).astype(np.uint8),
        "b": rng.integers(0, 60_000, 5).astype(np.uint16),
        "c": rng.integers(0, 2**32, 3).astype(np.uint32),
        "d": rng.normal(size=3).astype(np.float32),
    }
    for name, values in columns.items():
        block.add(name, values)

    assert all(part["offset"] % 4 == 0 for part in block.index.values())
    found = unpacked(block)
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_same_columns_always_give_the_same_text():
    texts = []
    for _ in range(2):
        block = Block()
        block.add("a", np.arange(1000, dtype=np.uint32))
        texts.append(block.text())
    assert texts[0] == texts[1]


def test_texts_come_back_whatever_is_in_them():
    texts = ["", "a\nb", "\0", "ü", "\u202eabc", "'\",\r\n", "</script>", "🦎", ""]
    characters, lengths = text_columns(texts)
    ends = np.cumsum(lengths, dtype=int)
    content = characters.tobytes()
    assert [content[end - size : end].decode() for end, size in zip(ends, lengths.astype(int), strict=True)] == texts


def test_half_of_a_surrogate_pair_in_an_id_does_not_stop_the_page():
    characters, lengths = text_columns(["a\ud800", "b"])
    assert characters.tobytes() == b"a?b"
    assert lengths.tolist() == [2, 1]


def test_places_keep_their_proportions_and_a_missing_one_is_marked():
    points = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 1.0], [np.nan, 1.0]])

    packed = places(points).astype(int)

    assert packed[3].tolist() == [NO_PLACE, NO_PLACE]
    width, height = packed[1, 0] - packed[0, 0], packed[2, 1] - packed[1, 1]
    assert width == NO_PLACE - 1
    assert abs(width / height - 4) < 0.001
    assert packed[:3].max() < NO_PLACE


def test_places_that_are_all_the_same_or_missing_are_no_fault():
    assert (places(np.zeros((3, 2))) < NO_PLACE).all()
    assert (places(np.full((3, 2), np.nan)) == NO_PLACE).all()


def test_numbers_keep_three_digits_beside_one_that_is_a_million_times_as_large():
    numbers = np.array([1234.0, 0.00123, 5.67, np.nan, -0.5])

    packed, scale = halves(numbers)

    found = packed.view(np.float16).astype(np.float64) * scale
    known = np.isfinite(numbers)
    small = np.abs(numbers) < 6e-5 * scale  # halves have fewer digits there
    np.testing.assert_allclose(found[known & ~small], numbers[known & ~small], rtol=1e-3)
    np.testing.assert_allclose(found[known & small], numbers[known & small], atol=6e-8 * scale)
    assert np.isnan(found[3])


def recall(vectors: np.ndarray, decoded: np.ndarray, count: int = 12) -> float:
    def nearest(among: np.ndarray, row: int) -> set[int]:
        squares = np.square(among - among[row]).sum(axis=1)
        squares[row] = np.inf
        return {*np.argsort(squares)[:count].tolist()}

    rows = range(0, len(vectors), 20)
    return float(np.mean([len(nearest(vectors, row) & nearest(decoded, row)) / count for row in rows]))


def test_neighbours_by_a_byte_a_dimension_are_nearly_those_of_the_latents():
    vectors = np.random.default_rng(0).normal(size=(1000, 16)) * np.geomspace(0.1, 10, 16)

    packed, steps = latent_bytes(vectors)

    assert recall(vectors, packed.T.astype(np.float64) * steps) >= 0.95


def test_a_dimension_in_which_all_latents_are_equal_is_no_fault():
    packed, steps = latent_bytes(np.array([[1.0, 5.0], [2.0, 5.0]]))
    assert packed[1].tolist() == [0, 0]
    assert all(step > 0 for step in steps)


def test_latents_that_do_not_fit_become_a_table_of_neighbours():
    vectors = np.random.default_rng(1).normal(size=(200, 300)).astype(np.float32)
    block = Block()

    about = neighbours.packed(vectors, block, most_bytes=200 * 300)

    assert about == {"kind": "table", "size": 12}
    found = unpacked(block)
    nearest = found["nearest"].reshape(200, 12)
    squares = np.square(vectors - vectors[7]).sum(axis=1)
    squares[7] = np.inf
    assert nearest[7].tolist() == np.argsort(squares)[:12].tolist()
    distances = found["nearness"].reshape(200, 12)[7] / 255 * found["farthest"][7]
    np.testing.assert_allclose(distances, np.sqrt(np.sort(squares)[:12]), rtol=0.01)


def test_where_not_even_a_table_fits_the_page_says_so():
    block = Block()
    about = neighbours.packed(np.zeros((200, 300), np.float32), block, most_bytes=1000)
    assert "200 latents of 300 dimensions do not fit" in about["reason"]
    assert not block.index


def test_a_sample_alone_has_no_neighbours():
    assert "no other samples" in neighbours.packed(np.zeros((1, 3), np.float32), Block(), 1e6)["reason"]
