"""Whether a file is UTF-8 from its first byte to its last."""

import codecs
from pathlib import Path

from connectors.imports.errors import FileRefused

CHUNK = 1024 * 1024
OTHER_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def require_utf8(path: Path) -> None:
    """Raise FileRefused with line and byte offset of the first byte that is not UTF-8; a UTF-8 mark at the start is fine."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, lines = 0, 1
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            _refuse_other_marks(path, chunk if offset == 0 else b"")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                carried = len(error.object) - len(chunk)  # bytes of a character that began in the chunk before
                raise _refusal(path, error, lines, offset - carried) from None
            offset += len(chunk)
            lines += chunk.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _refusal(path, error, lines, offset - len(error.object)) from None


def _refuse_other_marks(path: Path, start: bytes) -> None:
    for mark, name in OTHER_MARKS.items():
        if start.startswith(mark):
            raise FileRefused(f"{path}: is {name}, not UTF-8; convert it: iconv -f {name} -t UTF-8")


def _refusal(path: Path, error: UnicodeDecodeError, lines: int, offset: int) -> FileRefused:
    """`lines` and `offset` say where the decoded bytes begin."""
    line = lines + error.object[: error.start].count(b"\n")
    place = f"{path}: line {line}, byte {offset + error.start}: 0x{error.object[error.start]:02x}"
    return FileRefused(f"{place} is not UTF-8; convert the file, for instance: iconv -f WINDOWS-1252 -t UTF-8")
