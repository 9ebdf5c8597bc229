"""Reading an export: physical lines, broken rows, encodings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.imports.encoding import CHUNK, require_utf8
from connectors.imports.errors import FileRefused
from connectors.imports.occurrences import Occurrences
from connectors.imports.reading import Broken, CsvSource, JsonlSource, Row


def csv_rows(directory: Path, text: str) -> list[Row | Broken]:
    path = directory / "export.csv"
    path.write_bytes(text.encode())
    return list(CsvSource(path).rows())


def test_lines_are_physical(tmp_path: Path) -> None:
    """A row is reported with the line it begins on, also after newlines inside quotes."""
    rows = csv_rows(tmp_path, 'id,text\n1,"a\nb\nc"\n2,d\n')
    assert [(row.line, row.text) for row in rows] == [(2, '1,"a\nb\nc"\n'), (5, "2,d\n")]


def test_a_mark_at_the_start_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    """A UTF-8 byte order mark is accepted and does not become part of the header."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"\xef\xbb\xbfid,text\n1,a\n")
    assert CsvSource(path).header() == ["id", "text"]


@pytest.mark.parametrize(("line", "reason"), [("1,2,3", "has 3 fields"), ("1", "has 1 fields"), ('"1"x,2', "not valid CSV")])
def test_a_broken_row_leaves_the_others(tmp_path: Path, line: str, reason: str) -> None:
    """A row of the wrong shape is given as broken, whole, and reading goes on."""
    broken, good = csv_rows(tmp_path, f"id,text\n{line}\n7,fine\n")
    assert isinstance(broken, Broken)
    assert (broken.line, broken.text) == (2, f"{line}\n")
    assert reason in broken.reason
    assert isinstance(good, Row)


def test_an_open_quote_refuses_the_file(tmp_path: Path) -> None:
    """A quote that is never closed would swallow the rest of the file: it is refused, with the line."""
    with pytest.raises(FileRefused, match="line 3: a quote"):
        csv_rows(tmp_path, 'id,text\n1,a\n2,"b\n3,c\n')


def test_jsonl_gives_objects_and_broken_lines(tmp_path: Path) -> None:
    """An object is a row; a list and a torn line are broken; blank lines are nothing."""
    path = tmp_path / "export.jsonl"
    path.write_text('{"id": 1}\n\n[1]\n{"id":\n')
    rows = list(JsonlSource(path).rows())
    assert [(row.line, isinstance(row, Row)) for row in rows] == [(1, True), (3, False), (4, False)]


@pytest.mark.parametrize("before", [0, 7, CHUNK - 1, CHUNK, CHUNK + 1])
def test_the_first_wrong_byte_is_named(tmp_path: Path, before: int) -> None:
    """A byte that is not UTF-8 is named by line and offset, wherever the chunks are cut."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"a\n" * (before // 2) + b"a" * (before % 2) + b"\xfcber\n")
    with pytest.raises(FileRefused, match=rf"line {before // 2 + 1}, byte {before}: 0xfc"):
        require_utf8(path)


def test_a_character_cut_by_a_chunk_is_fine(tmp_path: Path) -> None:
    """A character of several bytes that lies across two chunks is not an error; one cut by the end of the file is."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"a" * (CHUNK - 1) + "é".encode())
    require_utf8(path)
    path.write_bytes(b"ab\xc3")
    with pytest.raises(FileRefused, match="byte 2"):
        require_utf8(path)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))), st.booleans())
def test_occurrences_count_in_order(rows: list[tuple[str, str]], each: bool) -> None:
    """n counts the rows of a ticket so far, total all of them; without `each`, an exact repeat of the one before counts once."""
    counted = Occurrences(each)
    for identity, text in rows:
        counted.announce(identity, text)
    expected = {identity: [text for other, text in rows if other == identity] for identity, _ in rows}
    seen = dict.fromkeys(expected, 0)
    for identity, text in rows:
        seen[identity] += 1
        texts = expected[identity]
        numbers = [sum(1 for at in range(end) if each or at == 0 or texts[at] != texts[at - 1]) for end in range(len(texts) + 1)]
        assert counted.number(identity, text) == (numbers[seen[identity]], numbers[-1])
    counted.close()
