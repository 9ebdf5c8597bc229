"""`cx import` against a real store: versions, repetition, rejects, refusals."""

import csv
import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from connectors.imports import run
from connectors.imports.errors import StoreUnavailable
from connectors.imports.writing import Raced, StoreWriter, Written, connect
from ops.cli import cx
from ops.settings import PROJECT_DIRECTORY

MAPPING = """
fields:
  source_system: {constant: desk}
  ticket_id: {column: id}
  version: VERSION
  occurred_at: {column: at, time: iso}
  sentiment: {column: mood}
  churn_risk: {constant: none}
  effort: {constant: low}
  raw_tags: {column: tag}
  evidence_url: {template: "https://desk.example/{ticket_id}"}
accounts:
  name: {column: account}
"""
HEADER = "id,v,at,mood,tag,account"
AT = "2026-11-24T10:00:00Z"

JOURNAL = """
create table journal (n bigint generated always as identity, ticket_id text, version bigint, sentiment text);
create function journal() returns trigger language plpgsql as $$ begin
  insert into journal (ticket_id, version, sentiment) values (new.ticket_id, new.version, new.sentiment); return null; end $$;
create trigger journal after insert or update on enrichment.ticket_signals for each row execute function journal();
"""


class Desk:
    """A directory with one export and one mapping, and a store that journals every change."""

    def __init__(self, directory: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.store_url = directory, store_url
        monkeypatch.chdir(directory)
        monkeypatch.setenv("CX_STORE_URL", store_url)
        with psycopg.connect(store_url) as connection:
            connection.execute(JOURNAL)  # type: ignore[arg-type]

    def load(self, rows: str, *options: str, version: str = "{occurrence: each}", name: str = "export.csv") -> Result:
        (self.directory / name).write_text(rows)
        (self.directory / "map.yml").write_text(MAPPING.replace("VERSION", version))
        return CliRunner().invoke(cx, ["import", name, "--map", "map.yml", *options])

    def counts(self, rows: str, *options: str, version: str = "{occurrence: each}") -> dict[str, int]:
        result = self.load(rows, "--json", *options, version=version)
        report = json.loads(result.stdout)
        return {key: report[key] for key in ("read", "written", "unchanged", "older", "rejected")}

    def query(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.store_url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def journal(self) -> list[tuple[object, ...]]:
        return self.query("select ticket_id, version, sentiment from journal order by n")


@pytest.fixture
def desk(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, store_url, monkeypatch)


def rows(*lines: str) -> str:
    return "\n".join([HEADER, *lines, ""])


TWICE = rows(f"1,1,{AT},negative,late,a", f"2,1,{AT},neutral,,a", f"1,2,{AT},positive,late,a", f"1,3,{AT},positive,late,a")


def test_every_occurrence_is_a_change_of_its_own(desk: Desk) -> None:
    """The n-th occurrence of a ticket reaches the store as version n, in the order of the file, also an exact repeat."""
    assert desk.counts(TWICE) == {"read": 4, "written": 4, "unchanged": 0, "older": 0, "rejected": 0}
    mine = [change for change in desk.journal() if change[0] == "1"]
    assert mine == [("1", 1, "negative"), ("1", 2, "positive"), ("1", 3, "positive")]


def test_with_changed_an_exact_repeat_is_the_same_version(desk: Desk) -> None:
    """With `occurrence: changed` a row that equals the ticket's row before it is no new version."""
    same = rows(f"1,1,{AT},negative,late,a", f"1,1,{AT},negative,late,a", f"1,1,{AT},positive,late,a")
    assert desk.counts(same, version="{occurrence: changed}")["written"] == 2
    assert desk.query("select version from enrichment.ticket_signals") == [(2,)]
    assert desk.counts(same, version="{occurrence: changed}")["written"] == 0


@pytest.mark.parametrize("version", ["{occurrence: each}", "{column: v}"])
@pytest.mark.parametrize("batch", [1, 2, 5000])
def test_twice_changes_nothing(desk: Desk, version: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second import of the same file writes nothing, however the file is cut into transactions."""
    monkeypatch.setattr(run, "BATCH_ROWS", batch)
    desk.counts(TWICE, version=version)
    before = desk.journal()
    again = desk.counts(TWICE, version=version)
    assert (again["written"], again["unchanged"] + again["older"]) == (0, 4)
    assert desk.journal() == before


def test_a_changed_row_raises_the_version(desk: Desk) -> None:
    """A later export whose row says something new is written as the stored version plus one, once."""
    desk.counts(rows(f"1,1,{AT},negative,late,a"))
    changed = rows(f"1,1,{AT},positive,late,a")
    assert desk.counts(changed)["written"] == 1
    assert desk.counts(changed)["written"] == 0
    assert desk.query("select version, sentiment, idempotency_key from enrichment.ticket_signals") == [
        (2, "positive", "desk:1:2")
    ]


def test_a_column_version_never_lowers(desk: Desk) -> None:
    """An older version from a column is passed over, and the same version with other content is rejected with advice."""
    desk.counts(rows(f"1,5,{AT},negative,late,a"), version="{column: v}")
    assert desk.counts(rows(f"1,4,{AT},neutral,late,a"), version="{column: v}")["older"] == 1
    result = desk.load(rows(f"1,5,{AT},positive,late,a"), version="{column: v}")
    assert result.exit_code == 1
    assert "version 5 of desk/1 is stored with other content; raise the version" in result.stderr
    assert desk.query("select version, sentiment from enrichment.ticket_signals") == [(5, "negative")]


def test_rejects_are_whole_and_can_be_imported_after_correction(desk: Desk) -> None:
    """A bad row is named by line, column, value, reason; its file, corrected, imports with the same mapping."""
    result = desk.load(rows(f"1,1,{AT},negative,late,a", f"2,1,{AT},furious,late,a", "3,too,few"))
    assert result.exit_code == 1
    assert "export.csv:3: column mood: 'furious' is no sentiment" in result.stderr
    assert "1 written" in result.stdout
    with Path("export.rejects.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["cx_line"], first["cx_row"]) == ("2", "3", f"2,1,{AT},furious,late,a")
    assert second["cx_row"] == "3,too,few"
    corrected = Path("export.rejects.csv").read_text().replace("furious", "neutral", 1)
    assert desk.load(corrected, "--allow-rejects", name="corrected.csv").exit_code == 0
    assert desk.query("select ticket_id from enrichment.ticket_signals order by 1") == [("1",), ("2",)]


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    """A dry run shows the first rows as they would be stored and leaves the store alone."""
    result = desk.load(TWICE, "--dry-run", "--json")
    shown = [json.loads(line)["stored"] for line in result.stdout.splitlines()]
    assert [(row["ticket_id"], row["version"]) for row in shown] == [("1", 1), ("2", 1), ("1", 2), ("1", 3)]
    assert desk.journal() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (HEADER + "\n", "holds no rows"),
        (
            HEADER.replace("mood", "moods") + f"\n1,1,{AT},neutral,,a\n",
            "no column 'mood', which the mapping reads for fields.sentiment",
        ),
        (HEADER.replace(",", ";") + "\n1;1\n", "write `delimiter: ';'`"),
        (HEADER.replace("tag", "mood") + "\n", "'mood' more than once"),
        (rows(f"1,1,{AT},neutral,,a", f"5.70306E+17,1,{AT},neutral,,a"), "scientific notation"),
        (rows(f"1,1,{AT},neutral,,a", '2,1,"open'), "never closed"),
    ],
)
def test_a_damaged_file_is_refused_before_anything_is_written(desk: Desk, text: str, reason: str) -> None:
    """A file that cannot be trusted is refused with its reason, exit code 2, and an untouched store."""
    result = desk.load(text)
    assert result.exit_code == 2
    assert result.stderr.startswith("cx import: nothing written: ")
    assert reason in result.stderr
    assert desk.journal() == []


def test_an_unreachable_store_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer ends in one line that names the variable, exit code 2."""
    monkeypatch.setenv("CX_STORE_URL", "postgresql://cx:x@127.0.0.1:1/store")
    result = desk.load(TWICE)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "CX_STORE_URL" in result.stderr


def test_accounts_come_with_their_tickets(desk: Desk) -> None:
    """The first row that names an account describes it; without the mapping's account column there is none."""
    mapped = MAPPING.replace("  sentiment:", "  account_id: {column: account}\n  sentiment:").replace("VERSION", "{column: v}")
    (desk.directory / "map.yml").write_text(mapped)
    (desk.directory / "export.csv").write_text(TWICE)
    assert CliRunner().invoke(cx, ["import", "export.csv", "--map", "map.yml"]).exit_code == 0
    assert desk.query("select account_id, name from enrichment.accounts") == [("a", "a")]


def test_the_sample_imports_twice(desk: Desk) -> None:
    """The sample data gives a store of the last two weeks, rejects nine rows, and changes nothing the second time."""
    tickets = PROJECT_DIRECTORY / "connectors" / "sample" / "tickets.csv"
    command = ["import", str(tickets), "--map", "sample", "--json", "--allow-rejects"]
    first = json.loads(CliRunner().invoke(cx, command).stdout)
    assert (first["rejected"], first["accounts_written"]) == (9, 40)
    assert desk.query(
        "select count(*) filter (where occurred_at > now() - interval '2 days') > 300 from enrichment.ticket_signals"
    ) == [(True,)]
    assert json.loads(CliRunner().invoke(cx, command).stdout)["written"] == 0


def test_a_lost_race_is_repeated(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that loses against another writer is repeated as a whole; one that always loses ends in one sentence."""
    writer = StoreWriter(connect(store_url), None, ["sentiment"])
    asked = []

    def lose(connection: object, batch: object) -> Written:
        asked.append(batch)
        if len(asked) < 3:
            raise Raced
        return Written(written=7)

    monkeypatch.setattr(writer, "_write", lose)
    assert writer.write([]).written == 7
    monkeypatch.setattr(writer, "_write", lambda *_: (_ for _ in ()).throw(Raced()))
    with pytest.raises(StoreUnavailable, match="run the import again"):
        writer.write([])
