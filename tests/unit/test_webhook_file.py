"""The subscriptions file: what is read, and how each mistake is named."""

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.outbound.webhooks.subscription_file import SubscriptionsError, read
from ops.outbound.webhooks import known_fields
from ops.settings import PROJECT_DIRECTORY

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GOOD = """\
subscriptions:
  billing:
    url: https://hooks.example.com/cx
    projection: signals
    filter: churn_risk in (high) and driver = 'Billing'
    secrets: [{env: SECRET}]
"""


def _variable(name: str) -> str:
    return {"SECRET": SECRET, "SHORT": "whsec_c2hvcnQ="}.get(name, "")


def test_the_example_is_good(tmp_path: Path) -> None:
    """The file that ships is read whole, once its secrets are there."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    text = (PROJECT_DIRECTORY / "connectors/outbound/webhooks/example.yml").read_text()
    file = tmp_path / "hooks.yml"
    file.write_text(text.replace("/run/secrets/crm_bridge", str(secret)))
    billing, bridge = read(file, known_fields(), lambda name: SECRET if name == "CX_WEBHOOK_SECRET_BILLING" else "")

    assert billing.wants({"churn_risk": "high", "driver": "Billing"})
    assert not billing.wants({"churn_risk": "low", "driver": "Billing"})
    assert (bridge.projection, bridge.concurrency, bridge.give_up_after) == ("crm", 4, timedelta(hours=24))
    assert SECRET not in repr(billing)


@pytest.mark.parametrize(("old", "new", "line", "said"), [
    ("url: https:", "url: http:", 3, "is not encrypted: use https, or name the private network"),
    ("url: https://hooks.example.com/cx", "url: hooks.example.com", 3, "is not an address"),
    ("url: https://hooks", "url: https://me:secret@hooks", 3, "holds a password"),
    ("projection: signals", "projection: sales", 4, "'sales' is not known; known are signals, crm, ops"),
    ("churn_risk in", "churn_risc in", 5, "at character 1: 'churn_risc' is not a field; known are account_id"),
    ("(high)", "(severe)", 5, "'severe' is no churn_risk; known are none, low, medium, high"),
    ("(high) and", "(high) und", 5, "at character 22: expected 'and', 'or' or the end, found 'und'"),
    ("{env: SECRET}", "{env: NOTHING}", 6, "NOTHING is empty: put a secret there (`cx webhooks secret` makes one)"),
    ("{env: SECRET}", "{env: SHORT}", 6, "24 to 64 bytes, this one has 5"),
    ("{env: SECRET}", "{file: /nowhere/at/all}", 6, "/nowhere/at/all cannot be read"),
    ("[{env: SECRET}]", "[]", 6, "secrets must be a list with an entry"),
    ("secrets:", "secret:", 6, "'secret' is not known; known are url, projection, filter, secrets"),
    ("    secrets: [{env: SECRET}]\n", "", 2, "billing has no secrets: add it"),
    ("billing:", "Billing Team:", 2, "is no name"),
    ("projection: signals", "projection: signals\n    give_up_after: 5 weeks", 5, "is not a length of time like 30m"),
    ("projection: signals", "projection: signals\n    concurrency: 1000", 5, "from 1 to 64"),
    ("projection: signals", "projection: signals\n    allow_networks: [10.0.0.1/8]", 5, "is not a network like 10.1.2.0/24"),
    ("subscriptions:", "subscriptions: [", 3, "this is not YAML"),
])  # fmt: skip
def test_a_mistake_is_named_with_file_line_value_and_remedy(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    """The first mistake, at its line; secrets are never quoted."""
    file = tmp_path / "hooks.yml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(SubscriptionsError) as wrong:
        read(file, known_fields(), _variable)

    text = str(wrong.value)
    assert text.startswith(f"{file}:{line}: ") and said in text
    assert "MfKQ9r8" not in text and "c2hvcnQ" not in text
