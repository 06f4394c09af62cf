"""Every kind of file is read; hostile ones are refused with a 4xx and hurt nobody."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from docx import Document as Docx
from openpyxl import Workbook
from pptx import Presentation
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from servicekit.errors import ServiceError
from svc_rag.engine.parsers import media_types
from svc_rag.engine.parsers.isolated import IsolatedParser
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import DocumentEncrypted, DocumentTooComplex, DocumentUnreadable, DocumentUnsupported
from tests.pipes import reader_of

LIMITS = ParseLimits(timeout_s=20, max_pages=20, max_chars=200_000)


def pdf_bytes(*pages: str, password: str | None = None) -> bytes:
    writer = PdfWriter()
    font = DictionaryObject(
        {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
         NameObject("/BaseFont"): NameObject("/Helvetica"), NameObject("/Encoding"): NameObject("/WinAnsiEncoding")}
    )  # fmt: skip
    for text in pages:
        page = writer.add_blank_page(612, 792)
        content = DecodedStreamObject()
        content.set_data(b"BT /F1 12 Tf 50 700 Td (" + text.encode("cp1252") + b") Tj ET")
        page[NameObject("/Contents")] = writer._add_object(content)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    if password:
        writer.encrypt(password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def docx_bytes() -> bytes:
    document = Docx()
    document.core_properties.title = "Relatório"
    document.add_paragraph("A padaria abre às sete horas.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["Cidade", "Preço", "Recife", "12"], strict=True):
        cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pptx_bytes() -> bytes:
    deck = Presentation()
    for title in ("Primeiro slide", "Segundo slide"):
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = title
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def xlsx_bytes() -> bytes:
    book = Workbook()
    book.active.append(["City", "Population"])
    book.active.append(["Recife", 1488920])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zip_bytes(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_member(office: bytes, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(office)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    return zip_bytes(members | {name: content})


def parse(tmp_path, content: bytes, name: str, limits: ParseLimits = LIMITS):
    path = tmp_path / "source"
    path.write_bytes(content)
    return IsolatedParser(limits).parse(path, media_types.detect(path, name))


@pytest.mark.parametrize(
    ("content", "name", "holds", "pages"),
    [
        (pdf_bytes("Primeira página.", "Segunda página com pão."), "a.pdf", "Segunda página com pão.", 2),
        (docx_bytes(), "a.docx", "Cidade: Recife; Preço: 12", 1),
        (pptx_bytes(), "a.pptx", "Segundo slide", 2),
        (xlsx_bytes(), "a.xlsx", "City: Recife; Population: 1488920", 1),
        (b"name;age\nAna;31\nRui;40\n", "a.csv", "name: Rui; age: 40", 1),
        ("# Título\n\nCorpo *forte*.".encode(), "a.md", "Corpo *forte*.", 1),
        ("Ação".encode("cp1252") + b" e rea\xe7\xe3o de S\xe3o Paulo", "a.txt", "Ação e reação", 1),
        ("\ufeffolá\r\nmundo".encode("utf-16"), "a.txt", "olá\nmundo", 1),
        (b"<html><head><title>T</title><script>evil()</script></head><body><p>One <b>two</b></p><p>three</p>",
         "a.html", "One two\n\nthree", 1),
    ],
)  # fmt: skip
def test_every_kind_of_file_is_read_with_its_pages(tmp_path, content, name, holds, pages):
    document = parse(tmp_path, content, name)
    assert holds in document.text
    assert len(document.pages) == pages
    assert all(
        document.text[p.start : p.end] == document.text[p.start : p.end].strip() for p in document.pages
    )


def test_titles_come_from_the_file(tmp_path):
    assert parse(tmp_path, docx_bytes(), "x.docx").title == "Relatório"
    assert parse(tmp_path, b"# My title\n\ntext", "x.md").title == "My title"


def test_markup_that_hides_scripts_leaves_no_script(tmp_path):
    document = parse(tmp_path, b"<p>seen<!-- unseen --><style>p{}</style><svg onload=x></svg></p>", "a.html")
    assert document.text == "seen"


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b"", "a.txt", DocumentUnreadable),
        (b"   \n ", "a.txt", DocumentUnreadable),
        (b"\x00\x01\x02binary", "a.txt", DocumentUnsupported),
        (b"MZ\x90\x00", "a.pdf", DocumentUnsupported),
        (b"%PDF-1.7\n garbage", "a.pdf", DocumentUnreadable),
        (pdf_bytes("x")[:-200], "a.pdf", None),
        (pdf_bytes("secret", password="pw"), "a.pdf", DocumentEncrypted),
        (pdf_bytes(*["p"] * 21), "a.pdf", DocumentTooComplex),
        (b"PK\x03\x04broken", "a.docx", DocumentUnreadable),
        (zip_bytes({"readme.txt": b"x"}), "a.docx", DocumentUnsupported),
        (zip_bytes({"word/document.xml": b"<a/>"}), "a.docx", DocumentUnreadable),
        (zip_bytes({"word/document.xml": b"<a/>", "bomb.bin": bytes(20 * 2**20)}), "a.docx", DocumentTooComplex),
        (zip_bytes({"xl/workbook.xml": b"<a/>"} | {f"{n}": b"" for n in range(2100)}), "a.xlsx", DocumentTooComplex),
        (zip_bytes({"word/document.xml": b"<a/>"} | {f"{n}": bytes(999_000) for n in range(120)}), "a.docx",
         DocumentTooComplex),
        (b"word " * 50_000, "a.txt", DocumentTooComplex),
    ],
)  # fmt: skip
def test_broken_encrypted_and_oversized_files_are_refused(tmp_path, content, name, error):
    try:
        parse(tmp_path, content, name)
    except ServiceError as refusal:
        assert 400 <= refusal.status < 500
        assert error is None or type(refusal) is error
        assert str(tmp_path) not in refusal.message
    else:
        assert error is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_office_files_with_entities_are_refused(tmp_path, encoding):
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    hostile = with_member(docx_bytes(), "word/document.xml", xml.encode(encoding))
    with pytest.raises(DocumentUnreadable, match="entities"):
        parse(tmp_path, hostile, "a.docx")


def test_a_pdf_stream_that_unpacks_to_a_gigabyte_hurts_nobody(tmp_path):
    writer = PdfWriter(PdfReader(io.BytesIO(pdf_bytes("x"))))
    content = b"BT /F1 12 Tf (" + zlib.compress(b"a" * (64 * 2**20))
    stream = DecodedStreamObject()
    stream.set_data(zlib.compress(bytes(400 * 2**20), 9) + content[:0])
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(ServiceError) as refusal:
        parse(tmp_path, out.getvalue(), "bomb.pdf")
    assert 400 <= refusal.value.status < 500


def test_deeply_nested_html_hurts_nobody(tmp_path):
    try:
        parse(tmp_path, b"<div>" * 20_000 + b"x", "a.html")
    except ServiceError as refusal:
        assert 400 <= refusal.status < 500


def test_a_file_that_takes_too_long_is_given_up(tmp_path):
    with pytest.raises(DocumentTooComplex, match="s; split it"):
        parse(tmp_path, b"x", "a.txt", ParseLimits(timeout_s=0.001))


def test_a_parser_that_needs_more_memory_than_allowed_is_refused(tmp_path):
    with pytest.raises(DocumentTooComplex, match="MiB"):
        parse(
            tmp_path, b"word " * 30_000_000, "a.txt", ParseLimits(max_chars=10**9, memory_bytes=300 * 2**20)
        )


PARSING = """
import sys
from pathlib import Path
from svc_rag.engine.parsers.isolated import IsolatedParser
IsolatedParser().parse(Path(sys.argv[1]), "text/plain")
"""


def test_who_parses_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.txt")  # whoever reads it waits for ever
    command = [sys.executable, "-c", PARSING, str(tmp_path / "endless.txt")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with (
        subprocess.Popen(command, env=environment) as service,
        reader_of(tmp_path / "endless.txt") as child,
    ):
        assert not child.is_gone(0), "it parses"
        service.send_signal(signal.SIGKILL)
        service.wait()
        assert child.is_gone(60)
