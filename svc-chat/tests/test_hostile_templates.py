"""A stranger's chat template stays inside, ends soon and stays small; honest ones notice nothing."""

import resource
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_chat.engine.base import Message
from svc_chat.engine.template import ChatTemplate
from svc_chat.errors import TemplateFailed

TURNS = [
    Message("system", "Be brief."),
    Message("user", "Olá"),
    Message("assistant", "Oi"),
    Message("user", "x"),
]
DOUBLING = "{% set n = namespace(x=START) %}{% for i in range(90) %}{% set n.x = STEP %}{% endfor %}{{ n.x }}"


def doubled(start: str, step: str) -> str:
    return DOUBLING.replace("START", start).replace("STEP", step)


ESCAPES = [
    "{{ ''.__class__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__base__.__subclasses__()[0] }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ raise_exception.__globals__['json'] }}",
    "{{ range.__self__.filters }}",
    "{{ (messages|attr('append'))(1) }}",
    "{{ messages|map(attribute='__class__')|list|join|length / 0 }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ messages.append(1) }}{{ messages|length }}",
    "{{ messages[0].update({'content': 'x'}) }}",
    "{{ self._TemplateReference__context.environment }}{{ 1 / 0 }}",
    "{% import 'os' as os %}{{ os.system('true') }}",
    "{% include '/etc/passwd' %}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__() }}",
    "{{ joiner().x() }}",
]
ENDLESS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) if i == j %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ 2 ** 2.5 ** 999999999 }}",
    doubled("3", "n.x * n.x"),
    "{{ (range(9999)|list * 9999)|sum }}",
    "{% for i in range(9999) %}{{ messages|map('tojson')|list|sort|join }}{{ range(9999)|list|sort|sum }}{% endfor %}",
    "{% set n = namespace(x='') %}{% for i in range(9999) %}{% set n.x = n.x ~ 'ab' * 999 %}{% if n.x == 'b' %}{% endif %}{% endfor %}",
]
HUGE = [
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * 'x' }}",
    "{{ [1] * 10**9 }}",
    "{{ ['x' * 999999] * 999999 }}",
    doubled("'x'", "n.x ~ n.x"),
    doubled("'x'", "n.x + n.x"),
    doubled("'xy'", "n.x.replace('x', n.x)"),
    doubled("'xy'", "n.x|replace('x', n.x)"),
    doubled("'xy'", "n.x.join(['x', n.x, n.x])"),
    doubled("'xy'", "[n.x, n.x]|join(n.x)"),
    doubled("[1]", "[n.x, n.x]"),
    doubled("[1]", "{'a': n.x, 'b': n.x}"),
    doubled("[1]", "(n.x, n.x)"),
    doubled("[1]", "n.x + n.x"),
    doubled("[1]", "dict(a=n.x, b=n.x)"),
    doubled("1", "namespace(a=n.x, b=n.x)"),
    doubled("'x'", "n.x|tojson|tojson"),
    "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set k = namespace() %}{% set k.a = n.x %}{% set k.b = n.x %}{% set n.x = k %}{% endfor %}{{ n.x }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ 'x'|center(10**9) }}{{ 'x'.center(10**9) }}",
    "{{ 'x'.ljust(10**9) }}",
    "{{ '\\t'.expandtabs(10**9) }}",
    "{{ '\\n\\n'|indent(10**9) }}",
    "{{ '\\n\\n'|indent('x' * 999999) }}",
    "{{ [[1]]|tojson(indent=10**9) }}",
    "{{ lipsum(10**6) }}",
    "{{ range(9999)|map(attribute='x', default='y' * 999999)|join }}",
    "{% set x = 'x' * 999999 %}{% set y %}" + "{{ x }}" * 5000 + "{% endset %}{{ y|length }}",
    "{% set x = 'x' * 999999 %}{{ (" + " ~ ".join(["x"] * 5000) + ")|length }}",
    "{% set x = 'x' * 999999 %}" + "{{ x }}" * 5000,
    "{{ strftime_now('%c' * 999999) * 999999 }}",
]
ODD = [
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "-" * 50_000 + "1 }}",
    "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "{% for i in [1] %}" * 30 + "x" + "{% endfor %}" * 30,
    "{{ 1 " + "+ 1" * 50_000 + " }}",
    "{% for %}",
    "{{ x.y.z }}",
    "{# " * 50_000,
    "\ud800",
]


@pytest.mark.parametrize("source", ESCAPES + ENDLESS + HUGE, ids=range(len(ESCAPES + ENDLESS + HUGE)))
def test_a_hostile_template_is_refused_soon_and_stays_small(source: str) -> None:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    with pytest.raises(TemplateFailed) as caught:
        ChatTemplate(source).render(TURNS[1:])
    assert "0x" not in caught.value.message
    assert time.thread_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("source", ODD, ids=range(len(ODD)))
def test_an_odd_template_is_refused_or_rendered_soon(source: str) -> None:
    started = time.thread_time()
    try:
        ChatTemplate(source).render(TURNS[1:])
    except TemplateFailed:
        pass
    assert time.thread_time() - started < 15


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([
    "{% for i in messages %}", "{% for i in range(9) %}", "{% endfor %}", "{% if x %}", "{% else %}", "{% endif %}",
    "{% set x = ", "[x, x]", "'ab'", " ~ ", " * 99999", " %}", "{{ ", " }}", "x", "|tojson", "|join('y')", "|list",
    "{% macro f(x) %}", "{% endmacro %}", "f(x)", "**9", "namespace(x=1)", "{%- ", "|map('upper')", "[::-1]",
]), max_size=40))  # fmt: skip
def test_any_pile_of_template_parts_ends(parts: list[str]) -> None:
    started = time.thread_time()
    try:
        assert len(ChatTemplate("".join(parts)).render(TURNS)) < 10_000_000
    except TemplateFailed:
        pass
    assert time.thread_time() - started < 6


HONEST = """
{%- set ns = namespace(system='', tool=false, last=-1) %}
{%- for message in messages if message['role'] == 'system' %}{% set ns.system = message.content | trim %}{% endfor %}
{%- macro described(tool) %}{{ tool.name ~ ': ' ~ (tool | tojson(indent=2)) }}{% endmacro %}
{{- bos_token + '[SYS]' + ns.system + '[/SYS]' if ns.system else bos_token }}
{%- if tools is not none and tools | length > 0 %}{% for tool in tools %}{{ described(tool) }}{% endfor %}{% endif %}
{%- for message in messages[::-1] %}{% if message.role == 'user' and ns.last < 0 %}{% set ns.last = loop.revindex0 %}{% endif %}{% endfor %}
{%- for message in messages %}
{%- if message.role == 'system' %}{% continue %}{% endif %}
{%- if message.role not in ['user', 'assistant'] %}{{ raise_exception('odd role ' ~ message.role) }}{% endif %}
{%- if (message.role == 'user') != (loop.index0 % 2 == 1) and loop.first is false %}{% set _ = 1 %}{% endif %}
{{- '<' + message.role.upper()[:4] + '>' + message['content'].strip().split('</think>')[-1].lstrip('\\n') | replace('a', 'b') }}
{{- '!' if loop.index0 == ns.last else '' }}{{ '\\n' if not loop.last }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<ASSI>' }}{% endif %}
"""


def test_what_honest_templates_do_still_works() -> None:
    assert ChatTemplate(HONEST, bos="<s>").render(TURNS) == (
        "<s>[SYS]Be brief.[/SYS]<USER>Olá\n<ASSI>Oi\n<USER>x!<ASSI>"
    )


def test_a_long_honest_conversation_is_within_the_limits() -> None:
    turns = [Message("user" if n % 2 else "assistant", "palavra " * 200) for n in range(1, 1000)]
    assert len(ChatTemplate(HONEST).render(turns)) > 1_000_000
