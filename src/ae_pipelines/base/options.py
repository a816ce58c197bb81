"""Typed options that refuse unknown names and bad values, with one sentence per fault."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.words import read_fields


class Options(BaseModel):
    """A frozen set of options; `model_validate` refuses unknown names and bad values with `InputError`.

    `Words` as they were typed are read by the type of their field."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise InputError(explain(error, cls)) from error

    @model_validator(mode="before")
    @classmethod
    def _read_words(cls, given: Any) -> Any:
        return read_fields(given, cls.model_fields) if isinstance(given, dict) else given


def explain(error: ValidationError, options: type[BaseModel]) -> str:
    """One sentence for each fault: where it is, what was given, what was expected."""
    return "; ".join(_sentence(fault, options) for fault in error.errors())


def _sentence(fault: Any, options: type[BaseModel]) -> str:
    where = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = sorted(_fields_at(options, fault["loc"][:-1]))
        return f"{where}: no such option; {suggestion(str(fault['loc'][-1]), known)}"
    if fault["type"] == "missing":
        return f"{where}: not given, but required"
    if fault["type"] == "value_error":
        return f"{where}: {fault['ctx']['error']}" if where else str(fault["ctx"]["error"])
    quote = ": put it into quotes" if fault["type"] == "string_type" and isinstance(fault["input"], int | float) else ""
    return f"{where}: given {fault['input']!r}, but {_lower_first(fault['msg'])}{quote}"


def _fields_at(options: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for step in path:
        field = options.model_fields.get(str(step))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        options = field.annotation
    return list(options.model_fields)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
