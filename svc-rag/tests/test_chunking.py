"""The chunker's promises, as properties over arbitrary text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_rag.domain.chunking import ChunkSizes, chunk_document
from svc_rag.domain.sentences import sentence_spans
from svc_rag.engine.base import Page

pieces = st.sampled_from([*"abcABC é ã.!?\n\t,;-#1“”…😀", "Dr", ". ", "\n\n", " \u00a0", "Palavra "])
texts = st.lists(pieces, max_size=400).map("".join) | st.text(max_size=300)
sizes = st.builds(lambda m, o: ChunkSizes(m, min(o, m // 2)), st.integers(16, 200), st.integers(0, 100))


def pages_of(text: str, cuts: list[int]) -> list[Page]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [Page(n, a, b) for n, (a, b) in enumerate(zip(edges, edges[1:], strict=False), 1)]


@settings(max_examples=150, deadline=None)
@given(texts, sizes, st.lists(st.integers(0, 1000), max_size=4))
def test_every_chunk_is_the_text_at_its_span_within_its_page_and_size(text, size, cuts):
    pages = pages_of(text, cuts)
    chunks = chunk_document(text, pages, size)
    assert [chunk.n for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        page = next(page for page in pages if page.page == chunk.page)
        assert chunk.text == text[chunk.start : chunk.end]
        assert page.start <= chunk.start < chunk.end <= page.end
        assert len(chunk.text) <= size.max_chars
    assert chunks == chunk_document(text, pages, size)


@settings(max_examples=150, deadline=None)
@given(texts, sizes)
def test_chunks_cover_everything_that_is_not_white_space(text, size):
    covered = set()
    for chunk in chunk_document(text, [], size):
        covered.update(range(chunk.start, chunk.end))
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())


@settings(max_examples=150, deadline=None)
@given(texts, sizes)
def test_chunks_advance_and_overlap_no_more_than_asked(text, size):
    chunks = chunk_document(text, [], size)
    for before, after in zip(chunks, chunks[1:], strict=False):
        assert before.start < after.start and before.end < after.end
        assert before.end - after.start <= size.overlap_chars


@settings(max_examples=150, deadline=None)
@given(texts)
def test_sentences_are_disjoint_and_cover_the_text(text):
    spans = sentence_spans(text)
    covered = set()
    for span in spans:
        assert not covered & set(range(span.start, span.end))
        covered.update(range(span.start, span.end))
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O Dr. Silva chegou. Ele saiu às 3.5 horas!", ["O Dr. Silva chegou.", "Ele saiu às 3.5 horas!"]),
        ("See e.g. the list. Then stop.", ["See e.g. the list.", "Then stop."]),
        (
            "Título\n\nPrimeira frase. “Segunda frase.” Fim",
            ["Título", "Primeira frase.", "“Segunda frase.”", "Fim"],
        ),
        ("uma linha\nque continua. Outra.", ["uma linha\nque continua.", "Outra."]),
        ("lista:\n- um\n- dois", ["lista:", "- um", "- dois"]),
        ("Custa R$ 3. Pague agora.", ["Custa R$ 3.", "Pague agora."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, expected):
    assert [text[span.start : span.end] for span in sentence_spans(text)] == expected


def test_sizes_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="half of max_chars"):
        ChunkSizes(100, 60)
