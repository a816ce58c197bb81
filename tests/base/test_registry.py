from typing import Annotated

import pytest
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.models import MODELS, ModelChoice
from ae_pipelines.models.nets import NETS

TOOLS = Registry("tool", __name__)


@TOOLS.register("hammer")
def hammer(where, *, weight: Annotated[float, Field(gt=0)] = 1.0):
    return ("hammer", where, weight)


class Saw:
    def __init__(self, where, *, teeth: int = 20, length: float) -> None:
        self.of = (where, teeth, length)


@TOOLS.register("bow_saw")
class BowSaw(Saw):
    def __init__(self, where, *, bend: float = 0.5, teeth: int = 6, **options) -> None:
        super().__init__(where, teeth=teeth, **options)
        self.bend = bend


class ToolChoice(Choice):
    registry = TOOLS


def test_a_choice_builds_its_part_with_given_and_default_options():
    assert ToolChoice(kind="hammer").build("wall") == ("hammer", "wall", 1.0)
    assert ToolChoice(kind="hammer", weight=2).build("wall") == ("hammer", "wall", 2.0)


def test_an_unknown_kind_is_refused_with_what_is_known_and_the_nearest_name():
    with pytest.raises(InputError, match=r"no tool called 'hamer'; known: bow_saw, hammer\. Did you mean 'hammer'\?"):
        ToolChoice(kind="hamer").check()


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(
        InputError, match=r"tool 'hammer': wieght: no such option; known: weight.*Did you mean 'weight'"
    ):
        ToolChoice(kind="hammer", wieght=2).check()


def test_a_class_that_hands_options_on_has_those_of_the_class_it_extends_before_its_own():
    saw = ToolChoice(kind="bow_saw", length=2)
    assert saw.described() == {"kind": "bow_saw", "teeth": 6, "length": 2.0, "bend": 0.5}
    assert saw.build("log").of == ("log", 6, 2.0)
    assert list(TOOLS.options("bow_saw").model_fields) == ["teeth", "length", "bend"]
    for wrong, message in ({"length": "long"}, "length: given 'long'"), ({}, "length: not given"):
        with pytest.raises(InputError, match=message):
            ToolChoice(kind="bow_saw", **wrong).check()
    with pytest.raises(InputError, match="tooth: no such option; .*Did you mean 'teeth'"):
        ToolChoice(kind="bow_saw", length=2, tooth=3).check()


def test_an_option_out_of_range_is_refused_with_the_value_given():
    with pytest.raises(InputError, match="weight: given -1"):
        ToolChoice(kind="hammer", weight=-1).check()


def test_two_parts_cannot_share_a_kind():
    with pytest.raises(ValueError, match="two tools are called 'hammer'"):
        TOOLS.register("hammer")(hammer)


def test_rooms_discover_their_own_modules():
    assert "autoencoder" in MODELS.kinds()
    assert {"conv", "dense"} <= set(NETS.kinds())


def test_nested_choices_are_checked_too():
    with pytest.raises(InputError, match="no net called 'cnov'.*Did you mean 'conv'"):
        ModelChoice(kind="autoencoder", net={"kind": "cnov"}).check()


def test_a_described_choice_rebuilds_itself_with_every_option():
    described = ModelChoice(kind="autoencoder", net={"kind": "conv"}).described()
    assert described["latent_size"] == 32
    assert described["net"].items() >= {"kind": "conv", "channels": [32, 64], "norm": "none"}.items()
    assert ModelChoice(**described).described() == described
