"""Searching catalogues: the parameters of `GET /v1/catalogue` and which entries they keep.

Looks at the entries as the API gives them, so that a service and the gateway choose by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from servicekit.errors import BadRequest

Words = Annotated[str, Field(max_length=200)]
_SAME = ("license", "quantization", "publisher")
_FLAGS = ("fits", "runnable", "builtin")
_LIMITS = {
    "max_size_bytes": "size_bytes",
    "max_memory_bytes": "memory_bytes",
    "max_parameters": "parameters",
}


class CatalogueQuery(BaseModel):
    """What an entry must be; what is not named does not matter. Names may be lists: `task=caption,question`."""

    model_config = ConfigDict(extra="forbid")

    q: Words = ""
    """Words that all stand in its id, repository, publisher, licence or sentences, in either language."""
    task: Words = ""
    language: Words = ""
    """`pt` also finds `pt-BR`, and the other way round."""
    license: Words = ""
    commercial: bool | None = None
    """True: only models whose licence allows commercial use; false: only those whose licence does not."""
    quantization: Words = ""
    publisher: Words = ""
    published_since: Annotated[str, Field(pattern=r"^$|^\d{4}(-\d{2})?$")] = ""
    """`2024` or `2024-09`."""
    max_size_bytes: Annotated[int, Field(ge=0)] | None = None
    """To be fetched at most; entries that do not tell their size are left out. The other limits likewise."""
    max_memory_bytes: Annotated[int, Field(ge=0)] | None = None
    max_parameters: Annotated[int, Field(ge=0)] | None = None
    fits: bool | None = None
    """Whether this machine has the memory and the disk for it."""
    runnable: bool | None = None
    """Whether an engine of the service runs it."""
    builtin: bool | None = None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> CatalogueQuery:
        """Read the parameters of a URL. Raises BadRequest."""
        try:
            return cls.model_validate(dict(args))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "query"
            there = ", ".join(cls.model_fields)
            raise BadRequest(
                f"'{name[:50]}': {first['msg']}. A catalogue is searched by {there}.", param=name
            ) from error

    def keep(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the entries that are so, in their order."""
        return [dict(row) for row in rows if self._takes(row)]

    def _takes(self, row: Mapping[str, Any]) -> bool:
        return (
            all(word in _text(row) for word in self.q.casefold().split())
            and _among(self.task, row.get("tasks") or (row.get("task"),))
            and all(_among(getattr(self, name), (row.get(name),)) for name in _SAME)
            and _speaks(self.language, row.get("languages") or ())
            and self.commercial in (None, not row.get("noncommercial"))
            and all(getattr(self, name) in (None, bool(row.get(name))) for name in _FLAGS)
            and all(_at_most(getattr(self, limit), row.get(name)) for limit, name in _LIMITS.items())
            and (row.get("published") or "") >= self.published_since
        )


def _text(row: Mapping[str, Any]) -> str:
    told = [row.get(name) for name in ("id", "repo", "publisher", "license", "task", "quantization")]
    told += row.get("tasks") or ()
    return " ".join(str(one) for one in (*told, *(row.get("good_for") or {}).values()) if one).casefold()


def _among(wanted: str, there: Iterable[object]) -> bool:
    names = {name.strip().casefold() for name in wanted.split(",") if name.strip()}
    return not names or any(str(one).casefold() in names for one in there if one is not None)


def _speaks(wanted: str, languages: Iterable[str]) -> bool:
    """A language without its country stands for all of them."""
    names = [name.strip().casefold() for name in wanted.split(",") if name.strip()]
    spoken = [str(language).casefold() for language in languages]
    return not names or any(
        one == name or one.partition("-")[0] == name or one == name.partition("-")[0]
        for name in names
        for one in spoken
    )


def _at_most(limit: int | None, value: object) -> bool:
    return limit is None or (isinstance(value, int) and value <= limit)
