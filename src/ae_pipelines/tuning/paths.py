"""Fields of a recipe by their path, such as `model.net.widths` or `loader.corruptions.0.noise_level`.

Recipes are read and changed as plain data, beside the types that their fields have: what a recipe leaves open has the
default of its type, and of a part the kind says which options there are.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.registry import Choice
from ae_pipelines.base.words import alternatives
from ae_pipelines.training.recipe import Recipe

KIND = "kind"


class Field(NamedTuple):
    """A field of options that have been given as plain data."""

    value: Any
    """As plain data: the default where nothing is given."""
    type: Any

    @property
    def is_number(self) -> bool:
        return bool({int, float} & {*alternatives(self.type)})

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole numbers only."""
        return int in alternatives(self.type) and float not in alternatives(self.type)


def changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with other values, each by its path, in order; a part of another kind keeps the options that this kind
    takes, too. `InputError` if the recipe cannot take one."""
    if not values:
        return recipe
    new = plain(recipe)
    for path, value in values.items():
        new = put(new, Recipe, path, value)
    made = Recipe.model_validate(new)
    made.model.check()
    for corruption in made.loader.corruptions:
        corruption.check()
    return made


def value_at(recipe: Recipe, path: str) -> Any:
    """What a recipe has at this path as plain data, with its default where it leaves that open; `InputError` if there
    is no such field."""
    return described(field_at(plain(recipe), Recipe, path))


def plain(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, without defaults of its parts, as plain data."""
    return recipe.model_dump(mode="json")


def field_at(given: Any, type_: Any, path: str) -> Field:
    """The field at `path` of what is `given` for `type_`; `InputError` with the known names if there is none."""
    found, way = Field(given, type_), ""
    for step in path.split("."):
        found = _inside(found, step, way)
        way = f"{way}.{step}" if way else step
    return found


def put(given: Any, type_: Any, path: str, value: Any) -> Any:
    """What is `given` for `type_`, with another value at `path`; of a part of another kind the options stay that this
    kind takes, too. `InputError` if there is no such field; whether it takes the value is for the caller to check."""
    return _put(Field(given, type_), path.split("."), value, "")


def described(field: Field) -> Any:
    """Its value, with all defaults of the parts in it."""
    options = _options(field.type)
    if isinstance(field.value, list):
        return [described(Field(item, _item_type(field.type, place))) for place, item in enumerate(field.value)]
    if not isinstance(field.value, dict) or options is None:
        return field.value
    if issubclass(options, Choice):
        return options.model_validate(field.value).described()
    return options.model_validate(field.value).model_dump(mode="json")


def _put(at: Field, path: list[str], value: Any, way: str) -> Any:
    step, *rest = path
    inside = _inside(at, step, way)
    new = _put(inside, rest, value, f"{way}.{step}" if way else step) if rest else value
    if isinstance(at.value, list):
        return [new if place == int(step) else item for place, item in enumerate(at.value)]
    options = _options(at.type)
    if step == KIND and options is not None and issubclass(options, Choice):
        return _of_kind(options, at.value, new)
    return at.value | {step: new}


def _inside(at: Field, step: str, way: str) -> Field:
    """The field called `step`; `way` is where we are."""
    options = _options(at.type)
    if isinstance(at.value, dict) and options is not None:
        fields = _fields(options, at.value)
        if step not in fields:
            inside = f"{way} ({at.value[KIND]})" if KIND in at.value else way or "a recipe"
            raise InputError(f"{inside} has no field {step!r}; {suggestion(step, sorted(fields))}")
        return Field(
            at.value.get(step, _plain(fields[step].get_default(call_default_factory=True))), fields[step].annotation
        )
    if isinstance(at.value, list):
        if not step.isdecimal() or int(step) >= len(at.value):
            raise InputError(f"{way} has {len(at.value)} items, given {step!r}: {_places(way, len(at.value))}")
        return Field(at.value[int(step)], _item_type(at.type, int(step)))
    raise InputError(f"{way} is {at.value!r}, which has no fields, given {step!r}: search {way} itself")


def _places(way: str, count: int) -> str:
    if not count:
        return f"search {way} itself, with choices that have items"
    return f"count them from 0, {way}.0" + (f" to {way}.{count - 1}" if count > 1 else "")


def _of_kind(options: type[Choice], given: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == given.get(KIND):
        return given
    fields = options.registry.options(kind).model_fields
    return {
        KIND: kind,
        **{name: value for name, value in given.items() if name in fields and _takes(fields[name], value)},
    }


def _takes(field: Any, value: Any) -> bool:
    try:
        found = TypeAdapter(Annotated[field.annotation, field]).validate_python(value)
        for part in found if isinstance(found, list) else [found]:
            if isinstance(part, Choice):
                part.check()
    except (ValidationError, InputError):
        return False
    return True


def _fields(options: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    if not issubclass(options, Choice):
        return dict(options.model_fields)
    kind = given.get(KIND, options.model_fields[KIND].get_default())
    return {KIND: options.model_fields[KIND], **options.registry.options(str(kind)).model_fields}


def _options(type_: Any) -> type[BaseModel] | None:
    """The set of options among the types that a value may have."""
    return next((each for each in alternatives(type_) if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _item_type(type_: Any, place: int) -> Any:
    for sequence in alternatives(type_):
        items = get_args(sequence)
        if get_origin(sequence) is tuple and items[1:] != (...,):
            return items[place] if place < len(items) else Any
        if items:
            return items[0]
    return Any


def _plain(default: Any) -> Any:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return [_plain(item) for item in default] if isinstance(default, list | tuple) else default
