"""What parts of a recipe share: unknown fields are refused, and messages name the field."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..gen.errors import RecipeError

_Model = TypeVar("_Model", bound=BaseModel)


class Part(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def checked(model: type[_Model], fields: Any, where: str) -> _Model:
    """A ``model`` from plain ``fields``; RecipeError in one line, naming the field, if wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_one_line(error)}") from error


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "recipe"
        given = problem["input"]
        message = problem["msg"].removeprefix("Value error, ")
        if not isinstance(given, dict) and problem["type"] != "missing":
            message += f" (given: {given!r})"
        problems.append(f"{field}: {message}")
    return "; ".join(problems)
