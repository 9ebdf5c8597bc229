"""What can go wrong with an import, each with a sentence that says what to do.

ImportRefused           nothing was written
├── MappingError        the mapping file is wrong: file, key, what to write instead
└── FileRefused         the export is damaged or does not fit the mapping
StoreUnavailable        the store cannot be reached, or it refused the transaction; what was committed stays
"""


class ImportRefused(Exception):
    """The import did not start; nothing was written."""


class MappingError(ImportRefused):
    """The mapping file cannot be used."""

    def __init__(self, file: object, key: str, advice: str) -> None:
        super().__init__(f"{file}: {key}: {advice}" if key else f"{file}: {advice}")


class FileRefused(ImportRefused):
    """The export cannot be trusted or does not fit the mapping."""


class StoreUnavailable(Exception):
    """The enrichment store did not answer; transactions committed before stay."""


class Unreadable(Exception):
    """One value cannot be read: becomes a Rejection of its row, never leaves the conversion."""

    def __init__(self, column: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason
