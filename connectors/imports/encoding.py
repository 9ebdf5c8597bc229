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
            _refuse_other_marks(path, chunk, offset)
            _decode(decoder, chunk, path, offset, lines)
            offset += len(chunk)
            lines += chunk.count(b"\n")
    _decode(decoder, b"", path, offset, lines, final=True)


def _refuse_other_marks(path: Path, chunk: bytes, offset: int) -> None:
    for mark, name in OTHER_MARKS.items():
        if offset == 0 and chunk.startswith(mark):
            raise FileRefused(f"{path}: is {name}, not UTF-8; convert it: iconv -f {name} -t UTF-8")


def _decode(
    decoder: codecs.IncrementalDecoder, chunk: bytes, path: Path, offset: int, lines: int, final: bool = False
) -> None:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        carried = len(error.object) - len(chunk)  # bytes of a character that began in the chunk before
        at = offset - carried + error.start
        line = lines + error.object[: error.start].count(b"\n")
        byte = error.object[error.start]
        raise FileRefused(
            f"{path}: line {line}, byte {at}: 0x{byte:02x} is not UTF-8; convert the file, for instance: iconv -f WINDOWS-1252 -t UTF-8"
        ) from None
