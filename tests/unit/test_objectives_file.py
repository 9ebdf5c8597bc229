"""An objectives file that does not fit is refused with the key that is wrong."""

import re
from typing import Any

import pytest
import yaml

from ops.objectives import file

GOOD: dict[str, Any] = yaml.safe_load(file.DEFAULT_FILE.read_text())


def changed(place: str, **values: Any) -> dict[str, Any]:
    """The good file with its top, its first burn alert or its first objective changed; None removes a key."""
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    target = document if place == "top" else document[place][0]
    for key, value in values.items():
        target[key] = value
        if value is None:
            del target[key]
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "the file: must be a mapping"),
        (changed("top", slice=None), "slice is missing"),
        (changed("top", slices="5m"), "'slices' is not known"),
        (changed("top", slice="20s"), "slice: must be a multiple of sample_every"),
        (changed("top", samples_kept="1h"), "samples_kept: must cover the longest window"),
        (changed("top", sample_every="often"), "sample_every: 'often' is not a length of time"),
        (changed("burn_alerts", severity="loud"), "burn_alerts[0].severity: 'loud'"),
        (changed("burn_alerts", rate="fast"), "burn_alerts[0].rate: 'fast' is not a number"),
        (changed("objectives", goal=1), "marts_freshness.goal: must lie between 0 and 1"),
        (changed("objectives", source="moon"), "marts_freshness.source: 'moon'"),
        (changed("objectives", source="kafka"), "marts_freshness.query: for kafka"),
        (changed("objectives", remedy=None), "objectives[0]: remedy is missing"),
        (changed("objectives", window="1000d"), "marts_freshness.window: is longer than slices_kept"),
        (changed("objectives", name="end_to_end_p95"), "end_to_end_p95 is there twice"),
        (changed("objectives", name="Fresh!"), "a name is made of small letters"),
    ],
)
def test_each_mistake_is_named(document: Any, words: str) -> None:
    """Whatever does not fit is said with its key."""
    with pytest.raises(file.ObjectivesError, match=re.escape(words)):
        file.parse(document)


def test_a_file_that_is_not_there_is_said(tmp_path: Any) -> None:
    """The message names the file."""
    with pytest.raises(file.ObjectivesError, match="cannot be read"):
        file.read(str(tmp_path / "nowhere.yml"))
