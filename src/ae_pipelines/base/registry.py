"""Parts picked by kind: `{kind: conv, channels: [32, 64]}` becomes a conv net.

A room (a package such as `ae_pipelines.models.nets`) owns one `Registry`; every module in it is discovered, so
a new part is one new file. A maker's keyword-only signature is the schema of its options; a class that also takes
`**options` passes them on to the class that it extends, and so has that class's options too; a maker that is itself a
set of `Options` is its own schema.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    create_model,
    model_serializer,
)

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.options import Options, explain
from ae_pipelines.base.words import guessed, holds_words, read_fields

Maker = TypeVar("Maker", bound=Callable[..., Any])


class Registry:
    """The parts of one room, by kind."""

    def __init__(self, noun: str, room: str) -> None:
        self.noun, self._room = noun, room
        self._makers: dict[str, Callable[..., Any]] = {}
        self._schemas: dict[Callable[..., Any], type[BaseModel]] = {}
        """By maker: they take milliseconds to make."""

    def register(self, kind: str) -> Callable[[Maker], Maker]:
        """Decorate the maker (a class or a function) of `kind`."""

        def keep(maker: Maker) -> Maker:
            if kind in self._makers:
                raise ValueError(f"two {self.noun}s are called {kind!r}")
            self._makers[kind] = maker
            return maker

        return keep

    def kinds(self) -> list[str]:
        """Every registered kind, sorted; imports the room's modules."""
        room = importlib.import_module(self._room)
        for module in pkgutil.iter_modules(getattr(room, "__path__", [])):
            importlib.import_module(f"{self._room}.{module.name}")
        return sorted(self._makers)

    def maker(self, kind: str) -> Callable[..., Any]:
        """The maker of `kind`; `InputError` lists the known kinds."""
        if kind not in self._makers and kind not in (known := self.kinds()):
            raise InputError(f"no {self.noun} called {kind!r}; {suggestion(kind, known)}")
        return self._makers[kind]

    def options(self, kind: str) -> type[BaseModel]:
        """The schema of a kind: its maker's keyword-only arguments, or the maker itself if it is a set of options."""
        maker = self.maker(kind)
        if inspect.isclass(maker) and issubclass(maker, BaseModel):
            return maker
        if maker not in self._schemas:
            fields: dict[str, Any] = {}
            for function in reversed(_signatures(maker)):
                fields |= _keyword_only(function)
            self._schemas[maker] = create_model(f"{kind}_options", __base__=Options, **fields)
        return self._schemas[maker]


class Choice(Options):
    """`{kind: name, option: value, ...}`: a part chosen from a registry.

    Creating one is cheap; `check` imports the room and validates the options against the maker's signature.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    registry: ClassVar[Registry]
    kind: str

    def check(self) -> dict[str, Any]:
        """Every option of the chosen part, defaults included; `InputError` if they are not valid."""
        schema = self.registry.options(self.kind)
        try:
            checked = schema(**(self.model_extra or {}))
        except ValidationError as error:
            raise InputError(f"{self.registry.noun} {self.kind!r}: {explain(error, schema)}") from error
        options = {name: getattr(checked, name) for name in schema.model_fields}
        for value in options.values():
            for choice in _choices(value):
                choice.check()
        return options

    def build(self, *given: Any) -> Any:
        """The part itself; `given` are the maker's positional arguments."""
        return self.registry.maker(self.kind)(*given, **self.check())

    def described(self) -> dict[str, Any]:
        """Plain data that rebuilds the same part: the kind and every option, nested ones too."""
        return {"kind": self.kind, **{name: _plain(value) for name, value in self.check().items()}}

    @model_serializer(mode="wrap")
    def _without_words(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was typed counts as the value that it means: recipes are compared by what this gives."""
        plain: dict[str, Any] = serialise(self)
        typed = {name for name, value in (self.model_extra or {}).items() if holds_words(value)}
        read = _read_inside(type(self), {"kind": self.kind, **(self.model_extra or {})}) if typed else {}
        return {name: read[name] if name in typed else value for name, value in plain.items()}


def _signatures(maker: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions that take the options of `maker`, its own first; for a class also the constructors that `**options`
    are passed on to."""
    if not inspect.isclass(maker):
        return [maker]
    constructors = [vars(cls)["__init__"] for cls in maker.__mro__ if "__init__" in vars(cls)]
    passing_on = [*takewhile(_passes_on, constructors)]
    return constructors[: len(passing_on) + 1]


def _passes_on(function: Callable[..., Any]) -> bool:
    return any(argument.kind is argument.VAR_KEYWORD for argument in inspect.signature(function).parameters.values())


def _keyword_only(function: Callable[..., Any]) -> dict[str, Any]:
    """Type and default (... for none) of each keyword-only argument."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], ... if argument.default is argument.empty else argument.default)
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY
    }


def _read_inside(options: type[BaseModel], given: dict[str, Any]) -> Any:
    """The options given, and those inside them, read by the types of their fields, also those of a chosen part."""
    fields = dict(options.model_fields)
    if issubclass(options, Choice):
        kind = given.get("kind", fields["kind"].default)
        try:
            fields |= options.registry.options(kind).model_fields
        except InputError:
            return guessed(given)  # it is refused when it is checked
    return read_fields(given, fields, _read_inside)


def _choices(value: Any) -> list[Choice]:
    """The choices in an option's value: itself, or those in a list."""
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, Choice)]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    return value.described() if isinstance(value, Choice) else value
