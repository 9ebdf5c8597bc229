"""The small tables around an import: what its mapping says about tags and accounts."""

from collections.abc import Iterable

from sqlalchemy import Engine

from connectors.imports import columns, taxonomy, writing
from connectors.imports.conversion import Signal
from connectors.imports.mapping import Mapping, Tag
from connectors.imports.taxonomy import Lookup
from connectors.imports.writing import StoreWriter

AccountRow = tuple[str | None, ...]  # in the order of columns.ACCOUNT_COLUMNS


class References:
    """Tags and accounts of a mapping.

    Args:
        engine: of the store; only needed when tags are looked up there, or written.
    """

    def __init__(self, mapping: Mapping, engine: Engine | None) -> None:
        self._mapping, self._seen_accounts = mapping, set[str]()
        self._tags = self._own_tags()
        self._account_rows = self._accounts_of_file()
        self.lookup = self._lookup(engine)

    def write(self, writer: StoreWriter) -> tuple[int, int]:
        """Upsert what the mapping lists, before any ticket; (accounts, tags) that changed."""
        accounts, tags = self._mapping.accounts, self._mapping.taxonomy
        written_tags = writer.write_taxonomy(self._tags, tags.write == "all") if tags and tags.write != "none" else 0
        written = self._write_accounts(self._account_rows, writer) if accounts else 0
        return written, written_tags

    def write_accounts_of(self, signals: Iterable[Signal], writer: StoreWriter) -> int:
        """Upsert the accounts that rows describe; the first row of the file that names an account decides."""
        rows: list[AccountRow] = []
        for signal in signals:
            if signal.account is not None and signal.account_id not in self._seen_accounts:
                self._seen_accounts.add(str(signal.account_id))
                rows.append((signal.account_id, *signal.account))
        return self._write_accounts(rows, writer)

    def _write_accounts(self, rows: list[AccountRow], writer: StoreWriter) -> int:
        accounts = self._mapping.accounts
        if not rows or accounts is None or accounts.write == "none":
            return 0
        return writer.write_accounts(rows, accounts.write == "all")

    def _own_tags(self) -> dict[str, Tag]:
        section = self._mapping.taxonomy
        return taxonomy.tags_of(section, self._mapping.beside(section.file) if section.file else None) if section else {}

    def _lookup(self, engine: Engine | None) -> Lookup | None:
        section = self._mapping.taxonomy
        if section is None:
            return None
        stored = writing.read_taxonomy(engine) if section.from_store and engine else {}
        return Lookup({**stored, **self._tags}, section.unmapped == "reject")

    def _accounts_of_file(self) -> list[AccountRow]:
        section = self._mapping.accounts
        if section is None or section.file is None:
            return []
        table = taxonomy.read_table(self._mapping.beside(section.file), columns.ACCOUNT_COLUMNS)
        return [tuple(row[name] or None for name in columns.ACCOUNT_COLUMNS) for row in table]
