"""Says what is wrong with a field: its value, what it may be, what to send. Knows pydantic's problems, no HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from servicekit.errors import InvalidBody

Problem = Mapping[str, Any]
"""One entry of pydantic's `errors()`: `type`, `loc`, `msg`, `input`, `ctx`."""
Teller = Callable[[str, Problem, Mapping[str, Any]], str]
"""Makes the sentence from the field's name, the problem and its `ctx`."""

_UNION_BRANCH = re.compile(r"[A-Z]\w*|str|int|float|bool|(list|dict|function|constrained|literal)\W.*")
"""Parts of pydantic's location that name a branch of a union, not a field."""
_SECRET = re.compile(r"pass|secret|credential|bearer|authorization|cookie|(token|key)$", re.IGNORECASE)
_SHOWN_MAX = 60
"""Characters of a value that are told again; a longer one is a text, and is described."""
_DIGITS_MAX = 40
_WANTED = {
    "string_type": "a text",
    "string_sub_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "mapping_type": "an object",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def refusal(problems: Sequence[Problem]) -> InvalidBody:
    """Return the error that names the first field that is wrong.

    Of a field that may be one thing or another the problem of the branch that was meant is told: the first one that
    is about more than the kind of value.
    """
    param = param_of(problems[0])
    here = [problem for problem in problems if param_of(problem) == param]
    meant = next((problem for problem in here if problem.get("type") not in _WANTED), None)
    sentence = _sentence(param, meant) if meant else _other_kind(param, here)
    return InvalidBody(sentence, param=param or None)


def param_of(problem: Problem) -> str:
    """Return the dotted name of a problem's field, without where it came in and the branches of unions."""
    place = [_sendable(str(part))[:200] for part in problem.get("loc", ())]
    inside = place[1:] if place and place[0] in ("body", "query", "path", "header") else place
    return ".".join(part for part in inside if not _UNION_BRANCH.fullmatch(part))


def _other_kind(param: str, problems: Sequence[Problem]) -> str:
    wanted = list(dict.fromkeys(_WANTED[problem["type"]] for problem in problems))
    choices = " or ".join(filter(None, [", ".join(wanted[:-1]), wanted[-1]]))
    return f"{_is(param, problems[0])}. Send {choices}."


def _sentence(param: str, problem: Problem) -> str:
    kind, ctx = problem.get("type", ""), problem.get("ctx") or {}
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"{_is(param, problem)}; it has to be {words} {ctx.get(bound)}."
    if kind in ("literal_error", "enum"):
        return f"{_is(param, problem)}; it can be {ctx.get('expected')}."
    told = _TOLD.get(kind)
    if told is not None:
        return told(param, problem, ctx)
    reason = str(problem.get("msg", "is not valid")).removeprefix("Value error, ").rstrip(".")
    return f"'{param}': {reason}." if param else f"{reason}."


def _missing(param: str, _: Problem, __: Mapping[str, Any]) -> str:
    return f"The field '{param}' is missing. Send it."


def _unknown(param: str, _: Problem, __: Mapping[str, Any]) -> str:
    return f"'{param}' is not read here. Leave it out; /openapi.json tells what is read."


def _fewer(one: str, many: str) -> Teller:
    def told(param: str, problem: Problem, ctx: Mapping[str, Any]) -> str:
        least = ctx.get("min_length")
        if least == 1:
            return f"'{param}' is empty. Send at least one {one}."
        return f"'{param}' has {_length(problem)} {many}; at least {least} are needed."

    return told


def _more(many: str) -> Teller:
    def told(param: str, problem: Problem, ctx: Mapping[str, Any]) -> str:
        return f"'{param}' has {_length(problem)} {many}; at most {ctx.get('max_length')} are read."

    return told


def _form(param: str, problem: Problem, ctx: Mapping[str, Any]) -> str:
    if ctx.get("pattern") == r"\S":
        return f"'{param}' holds nothing to read. Send at least one word."
    return f"{_is(param, problem)}; it has to match {ctx.get('pattern')}."


_TOLD: Mapping[str, Teller] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_too_short": _fewer("character", "characters"),
    "string_too_long": _more("characters"),
    "too_short": _fewer("entry", "entries"),
    "too_long": _more("entries"),
    "string_pattern_mismatch": _form,
}


def _is(param: str, problem: Problem) -> str:
    """Begin a sentence with the value, unless it may be a secret or is no short one."""
    name = f"'{param}'" if param else "The value"
    return f"{name} is {_shown(param, problem.get('input'))}"


def _shown(param: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if _SECRET.search(param):
        return "not what it has to be"
    if isinstance(value, str):
        return f"'{_sendable(value)}'" if len(value) <= _SHOWN_MAX else f"a text of {len(value)} characters"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**_DIGITS_MAX else f"a number of more than {_DIGITS_MAX} digits"
    return str(value) if isinstance(value, float) else "of another kind"


def _sendable(text: str) -> str:
    """Replace what UTF-8 cannot hold: JSON may name half a character."""
    return text.encode("utf-8", "replace").decode()


def _length(problem: Problem) -> Any:
    value = problem.get("input")
    return len(value) if isinstance(value, (str, list, tuple, Mapping)) else "too many or too few"
