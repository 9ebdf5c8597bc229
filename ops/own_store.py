"""The mapping file of a store with names of its own."""

from pathlib import Path

import yaml

from ops.settings import Settings, SettingsError
from stream.core.own_store import MappingError, OwnTable, parse_mapping


def read(path: Path) -> dict[str, OwnTable]:
    """The mapping in this file. Raises SettingsError that says what is wrong with it."""
    try:
        return parse_mapping(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, MappingError) as error:
        raise SettingsError(f"CX_STORE_MAPPING {path}: {' '.join(str(error).split())}") from error


def chosen(settings: Settings) -> dict[str, OwnTable]:
    """The mapping that the settings name; empty: the store is like ours."""
    return read(Path(settings.store_mapping)) if settings.store_mapping else {}
