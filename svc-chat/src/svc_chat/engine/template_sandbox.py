"""Jinja's immutable sandbox with an end: a stranger's template can neither run for ever nor fill the memory.

The sandbox keeps a program inside; it does not keep a `range` within a `range`, a text doubled forty times or a list
of lists of itself from taking the machine. Here every loop turn, call, filter, operator and printed value is paid
for from a budget of steps and processor time, and no value may grow past a size, looked at beforehand where a single
operation could make it. What no chat template needs is not there.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from svc_chat.engine.template_limits import TooMuch, check_growth, check_operator, fits, size

MAX_STEPS = 500_000
MAX_CPU_S = 2.0
MAX_RANGE = 10_000

_FILTERS = frozenset(
    [
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "dictsort",
        "first",
        "float",
        "groupby",
        "indent",
        "int",
        "items",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "replace",
        "reverse",
        "round",
        "safe",
        "select",
        "selectattr",
        "sort",
        "string",
        "sum",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
        "wordcount",
    ]
)
_TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isdigit",
        "islower",
        "isnumeric",
        "isspace",
        "isupper",
        "join",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "title",
        "upper",
    ]
)


class _Budget(threading.local):
    """What is left to the template that this thread compiles or runs."""

    steps = 0
    until = 0.0


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """An environment whose templates end: make them with `from_string`, run them with `render`. Thread-safe."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols"],
            optimized=False,
            finalize=self.checked,
        )
        self._budget = _Budget()
        self.filters = {name: self._paid(name, self.filters[name]) for name in _FILTERS}
        self.filters["join"] = self._paid("join", self._join)
        self.globals = {"range": self._range, "namespace": Namespace, "dict": dict}
        self.concat = self._concat  # type: ignore[assignment]

    def add_filter(self, name: str, function: Callable[..., Any]) -> None:
        """Make `function` a filter that is paid for like the others."""
        self.filters[name] = self._paid(name, function)

    def from_string(self, source: Any, *args: Any, **kwargs: Any) -> Template:
        """Return the compiled template; raises TooMuch or whatever Jinja and Python raise."""
        self._begin()
        return super().from_string(source, *args, **kwargs)

    def render(self, template: Template, **values: Any) -> str:
        """Return the template's text; raises TooMuch, or whatever a stranger's program raises."""
        self._begin()
        return self._concat(template.root_render_func(template.new_context(values)))

    def spend(self, steps: int = 1) -> None:
        """Pay for steps; raises TooMuch."""
        self._budget.steps -= steps
        if self._budget.steps < 0 or time.thread_time() > self._budget.until:
            raise TooMuch("it does not come to an end")

    def checked(self, value: Any) -> Any:
        """Return `value` after paying for it by its size; raises TooMuch."""
        items, chars = size(value)
        self.spend(1 + items + chars // 1000)
        return value

    def guarded(self, iterable: Iterable[Any]) -> Iterator[Any]:
        """Yield what a loop goes through, a step each."""
        for item in iterable:
            self.spend()
            yield item

    def joined(self, *parts: Any) -> str:
        """Return what `~` makes."""
        return self._concat(str(self.checked(part)) for part in parts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        check_operator(operator, left, right)
        return self.checked(super().call_binop(context, operator, left, right))

    def call(self, context: Any, callee: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(callee, "__self__", None)
        if owner is self and callee.__name__ in ("checked", "guarded", "joined"):
            return callee(*args)
        self.checked((args, {key: value for key, value in kwargs.items() if not key.startswith("_")}))
        if isinstance(owner, str):
            check_growth(callee.__name__, (owner, *args))
        return self.checked(super().call(context, callee, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        allowed = not isinstance(obj, str) or attr in _TEXT_METHODS
        return allowed and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Let no text be formatted: a width may be any number."""

    def _begin(self) -> None:
        self._budget.steps, self._budget.until = MAX_STEPS, time.thread_time() + MAX_CPU_S

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Checks(self).visit(super()._parse(source, name, filename))
        return tree

    def _paid(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        own = 1 if hasattr(function, "jinja_pass_arg") else 0

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.checked((args[own:], kwargs))
            check_growth(name, (*args[own:], *kwargs.values()))
            return self.checked(function(*args, **kwargs))

        return run

    def _join(self, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        """Join texts, counting as they come: a lazy list has no size beforehand."""
        items = self.guarded(value)
        if attribute is not None:
            items = (self.getitem(item, attribute) for item in items)
        parts = (part for item in items for part in (str(d), str(self.checked(item))))
        next(parts, None)
        return self._concat(parts)

    def _concat(self, parts: Iterable[str]) -> str:
        kept, chars = [], 0
        for part in parts:
            self.spend()
            chars += len(part)
            fits(chars)
            kept.append(part)
        return "".join(kept)

    def _range(self, *args: int) -> range:
        wanted = range(*args)
        if len(wanted) > MAX_RANGE:
            raise TooMuch(f"it wants a range of more than {MAX_RANGE} numbers")
        return wanted


class _Checks(NodeTransformer):
    """Puts the environment's checks around what can loop or grow."""

    def __init__(self, environment: BoundedSandbox):
        self._environment = environment

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateSyntaxError("recursive loops are not run here", node.lineno)
        self.generic_visit(node)
        node.iter = self._through("guarded", cast(nodes.Expr, node.iter))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._through("joined", *node.nodes)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = self._through("checked", node.expr)
        for operand in node.ops:
            operand.expr = self._through("checked", operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return self._through("checked", node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return self._through("checked", node) if node.ctx == "load" else node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return self._through("checked", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return self._through("checked", node)

    def _through(self, name: str, *arguments: nodes.Expr) -> nodes.Call:
        call = nodes.Call(nodes.EnvironmentAttribute(name), list(arguments), [], None, None)
        return call.set_environment(self._environment).set_lineno(arguments[0].lineno if arguments else 1)  # type: ignore[return-value]
