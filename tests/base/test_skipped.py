import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.skipped import Skipped, made, unless_skipped

NOTHING = Skipped("no labels", "encoder")


def test_what_stands_on_something_skipped_is_skipped_for_the_same_reason():
    @unless_skipped
    def added(left, right):
        return left + right

    assert added(1, 2) == 3
    assert added(1, NOTHING) is NOTHING


def test_what_was_skipped_for_this_encoder_is_none_and_for_another_is_refused():
    assert made(5, "encoder", "classify") == 5
    assert made(NOTHING, "encoder", "classify") is None
    with pytest.raises(InputError, match="classify was skipped for latents of encoder encoder, .* run classify again"):
        made(NOTHING, "another", "classify")
