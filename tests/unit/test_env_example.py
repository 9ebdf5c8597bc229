"""`.env.example` lists every variable, and nothing else."""

import re
from dataclasses import fields

from ops.settings import PROJECT_DIRECTORY, Settings, load, read_env_file


def test_it_lists_exactly_the_variables_that_something_reads() -> None:
    """The settings, the connector's references and docker-compose.yml read these variables, no more and no fewer."""
    listed = set(read_env_file(PROJECT_DIRECTORY / ".env.example"))
    settings = {f"CX_{field.name.upper()}" for field in fields(Settings)}
    connector = set(re.findall(r"\$\{env:(CX_\w+)}", (PROJECT_DIRECTORY / "connectors/debezium/enrichment.json").read_text()))
    compose = set(re.findall(r"\$\{(CX_\w+)", (PROJECT_DIRECTORY / "docker-compose.yml").read_text()))

    assert listed == settings | connector | compose


def test_it_shows_the_defaults() -> None:
    """A value in the file is the default of the setting; an empty one is a setting without a default, or a path."""
    listed = read_env_file(PROJECT_DIRECTORY / ".env.example")
    defaults = {f"CX_{field.name.upper()}": field.default for field in fields(Settings)}

    assert {name: value for name, value in listed.items() if value and name in defaults and defaults[name] != value} == {}


def test_a_copy_of_it_changes_nothing() -> None:
    """What the file leaves empty counts as not set, so that it does not hide the addresses in `.run/stack.env`."""
    listed = read_env_file(PROJECT_DIRECTORY / ".env.example")

    assert load({**listed, "CX_RUN_DIRECTORY": "/nowhere"}) == Settings(run_directory="/nowhere")
    assert load({"CX_RUN_DIRECTORY": ""}).run_directory == Settings.run_directory
