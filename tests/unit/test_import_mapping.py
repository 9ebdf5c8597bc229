"""The mapping file: what is wrong is named by file, key, and what to write instead."""

import re
from pathlib import Path

import pytest

from connectors.imports import mapping_file
from connectors.imports.errors import MappingError
from connectors.imports.mapping import Accounts, Field, Fields, Mapping, Taxonomy
from ops.settings import PROJECT_DIRECTORY

README = PROJECT_DIRECTORY / "connectors" / "README.md"

FIELDS = """
fields:
  source_system: {constant: desk}
  ticket_id: {column: id}
  version: {occurrence: each}
  occurred_at: {column: at, time: iso}
  sentiment: {column: mood, values: {yes: positive, no: negative}}
  churn_risk: {constant: none}
  effort: {constant: low}
  evidence_url: {template: "https://desk.example/{ticket_id}"}
"""


def write(directory: Path, text: str, name: str = "map.yml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["sample", "zendesk", "airline_tweets"])
def test_shipped_mappings_are_valid(name: str) -> None:
    """Every mapping that ships can be named without its path and is valid."""
    assert mapping_file.load(mapping_file.find(name)).description


def test_yes_and_no_stay_words(tmp_path: Path) -> None:
    """An unquoted yes in a value map is the word yes, not a boolean."""
    mapping = mapping_file.load(write(tmp_path, FIELDS))
    assert mapping.fields.sentiment.values == {"yes": "positive", "no": "negative"}


def test_toml_reads_like_yaml(tmp_path: Path) -> None:
    """A TOML file gives the same mapping as the YAML file with the same keys."""
    toml = """
    [fields]
    source_system = {constant = "desk"}
    ticket_id = {column = "id"}
    version = {occurrence = "each"}
    occurred_at = {column = "at", time = "iso"}
    sentiment = {column = "mood", values = {yes = "positive", no = "negative"}}
    churn_risk = {constant = "none"}
    effort = {constant = "low"}
    evidence_url = {template = "https://desk.example/{ticket_id}"}
    """
    from_toml = mapping_file.load(write(tmp_path, toml, "map.toml"))
    assert from_toml.fields == mapping_file.load(write(tmp_path, FIELDS)).fields


@pytest.mark.parametrize(
    ("wrong", "key", "advice"),
    [
        (FIELDS.replace("values:", "valeus:"), "fields.sentiment.valeus", "did you mean `values`"),
        (FIELDS + "timezone: Mars/Olympus\n", "timezone", "Europe/Berlin"),
        (FIELDS.replace("  effort: {constant: low}\n", ""), "fields.effort", "is missing"),
        (FIELDS.replace("{constant: low}", "{constant: low, column: x}"), "fields.effort", "exactly one of"),
        (FIELDS.replace(", time: iso", ""), "fields.occurred_at.time", "iso"),
        (
            FIELDS.replace("effort: {constant: low}", "effort: {occurrence: each}"),
            "fields.effort.occurrence",
            "only `fields.version`",
        ),
        (FIELDS.replace("{ticket_id}", "{}"), "fields.evidence_url.template", "name of a column"),
        (FIELDS + "delimiter: ';;'\n", "delimiter", "one character"),
        (FIELDS + "taxonomy: {file: nowhere.csv}\n", "taxonomy.file", "no such file"),
        (FIELDS + "format: xlsx\n", "format", "invalid enum value"),
        ("- a list", "", "fields:"),
        ("fields: {a: [", "", "not valid YAML"),
    ],
)
def test_a_wrong_mapping_says_where_and_what_instead(tmp_path: Path, wrong: str, key: str, advice: str) -> None:
    """The message begins with the file, names the key, and says what to write."""
    path = write(tmp_path, wrong)
    with pytest.raises(MappingError) as caught:
        mapping_file.load(path)
    assert str(caught.value).startswith(f"{path}: {key}")
    assert advice in str(caught.value)


def test_the_mapping_in_the_documentation_is_valid(tmp_path: Path) -> None:
    """The mapping that connectors/README.md explains line by line can be used as it stands."""
    text = README.read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert mapping_file.load(write(tmp_path, example)).metrics["is_vip"].type == "boolean"


def test_every_key_is_documented() -> None:
    """connectors/README.md names every key that a mapping may hold."""
    known = {name for struct in (Mapping, Fields, Field, Taxonomy, Accounts) for name in struct.__struct_fields__}
    text = README.read_text()
    assert {name for name in known - {"path", "description"} if not re.search(rf"\b{name}\b", text)} == set()


def test_an_unknown_name_lists_what_ships() -> None:
    """A mapping that does not exist is answered with the names of those that ship."""
    with pytest.raises(MappingError, match="airline_tweets, sample, zendesk"):
        mapping_file.find("zendex")
