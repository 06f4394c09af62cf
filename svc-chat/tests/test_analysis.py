"""What models are told of tables: how pandas reads a file and which columns it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_chat.domain.analysis import FILES_TITLE, NAMED_TITLE, Table, files_text, table_of, with_named

SALES = b"region,month,amount\nsul,jan,10\nnorte,fev,12.5\n"


def test_a_line_says_how_to_read_a_file_and_what_its_columns_hold() -> None:
    table = table_of("sales.csv", SALES)
    assert table is not None
    assert table.line == "pd.read_csv('sales.csv'): 'region' (text), 'month' (text), 'amount' (number)"


def test_the_text_has_a_line_for_each_file_and_is_empty_without_files() -> None:
    table = Table("a.csv", (("b", "number"),))
    assert (
        files_text([table], ["notes.pdf"])
        == f"{FILES_TITLE}\npd.read_csv('a.csv'): 'b' (number)\n'notes.pdf'"
    )
    assert files_text([]) == ""


@pytest.mark.parametrize(
    ("written", "options", "kinds"),
    [
        ("a,b\n1,x\n", "", "number text"),
        ("a;b\n1,5;x\n", ", sep=';', decimal=','", "number text"),
        ("a;b\n1.5;2\n", ", sep=';'", "number number"),
        ("a;b\n1.234,50;2\n2,00;3\n", ", sep=';', decimal=',', thousands='.'", "number number"),
        ("a;b\n1.234.567;2\n5;3\n", ", sep=';', decimal=',', thousands='.'", "number number"),
        ("a;b\n1.234;2\n950;3\n", ", sep=';', decimal=',', thousands='.'", "number number"),
        ("a;b\n1.234;2\n0.950;3\n", ", sep=';'", "number number"),
        ("a;b\n1.25;2\n9;3\n", ", sep=';'", "number number"),
        ("a\tb\n1\tx\n", ", sep='\\t'", "number text"),
        ("a|b\n1|x,y\n", ", sep='|'", "number text"),
        ('a,b\n"1","x, y"\n-2.5e3,"z"\n', "", "number text"),
        ("a,b\n1,\n,\n2,\n", "", "number text"),
        ("a,b\r\n1,2024-01-05\r\n", "", "number text"),
        ("a\n1\n2\n", "", "number"),
        ("\ufeffa,b\n1,x\n", "", "number text"),
    ],
)
def test_separator_decimal_mark_and_kinds_are_read_from_the_beginning(
    written: str, options: str, kinds: str
) -> None:
    table = table_of("f.csv", written.encode())
    assert table is not None
    assert table.options == options
    assert " ".join(kind for _, kind in table.columns) == kinds
    assert [name for name, _ in table.columns] == ["a", "b"][: len(kinds.split())]


def test_letters_of_another_encoding_are_read_and_it_is_named() -> None:
    table = table_of("vendas.csv", "região;valor\nsão;1,5\n".encode("latin-1"))
    assert table is not None
    assert table.columns == (("região", "text"), ("valor", "number"))
    assert table.options == ", sep=';', decimal=',', encoding='latin-1'"


def test_a_beginning_that_ends_inside_a_line_or_a_letter_is_read_without_its_end() -> None:
    written = "região,valor\nsão,1\nsul,2\nsão,x".encode()
    table = table_of("f.csv", written)
    assert table is not None
    assert table.columns == (("região", "text"), ("valor", "number"))
    assert table_of("f.csv", "região,valor\nsul,1\nsã".encode()[:-1]) == table


@pytest.mark.parametrize(
    "written", [b"", b"\n\n", b"a,b\n", b"\x89PNG\r\n\x00\x1a,\n", b",,\n1,2,3\n", b"a\x00b\n1\n"]
)
def test_what_is_no_table_is_none(written: bytes) -> None:
    assert table_of("f.csv", written) is None


CITIES = Table("sales.csv", (("City", "text"), ("Preço_Total", "number"), ("Preço", "number")), ", sep=';'")
PEOPLE = Table("people.csv", (("City", "text"), ("age", "number")))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Sum of preço by city", "pd.read_csv('sales.csv', sep=';'): 'Preço' (number), 'City' (text)"),
        ("por city a média do PRECO TOTAL", "pd.read_csv('sales.csv', sep=';'): 'City' (text), 'Preço_Total' (number)"),
        ("What columns does sales.csv have?", "pd.read_csv('sales.csv', sep=';')"),
        ("mean age by 'City'?", "pd.read_csv('people.csv'): 'age' (number), 'City' (text)"),
        ("city in PEOPLE.CSV, not the cityscape", "pd.read_csv('people.csv'): 'City' (text)"),
    ],
)  # fmt: skip
def test_what_a_question_names_is_told_below_it_as_code_writes_it(asked: str, told: str) -> None:
    assert with_named(asked, [CITIES, PEOPLE]) == f"{asked}\n\n{NAMED_TITLE}\n{told}"


def test_names_that_two_files_share_are_told_of_both_and_nothing_named_is_nothing_said() -> None:
    lines = "pd.read_csv('sales.csv', sep=';'): 'City' (text)\npd.read_csv('people.csv'): 'City' (text)"
    assert with_named("Rows by city", [CITIES, PEOPLE]) == f"Rows by city\n\n{NAMED_TITLE}\n{lines}"
    for asked in ("Hello!", "", "Describe the data", "capacity, ages and prices"):
        assert with_named(asked, [CITIES, PEOPLE]) == asked
    assert with_named("Sum of age by city", []) == "Sum of age by city"


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_whatever_is_said_and_columns_are_called_a_question_stays_as_it_was(
    asked: str, names: list[str]
) -> None:
    table = Table("a.csv", tuple((name, "text") for name in names))
    assert with_named(asked, [table]).startswith(asked)
    assert all(repr(name) in with_named(name, [table]) for name in names if name.strip("\0"))
