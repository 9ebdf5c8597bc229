"""Superset's configuration (SUPERSET_CONFIG_PATH). Its Python reads it, so it may use nothing of ours.

From the environment: SUPERSET_HOME, SUPERSET_SECRET_KEY, CX_BI_URL (the warehouse as bi_reader).
"""
# mypy: disable-error-code="import-not-found"

import os
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy.engine import make_url
from sqlalchemy.engine.url import URL

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
APP_NAME = "CX Signals"

# The charts' writes (filters, permalinks) and reads share one small SQLite file: wait for it instead of failing.
SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {"timeout": 30}}

# Marts move every few seconds: an answer is shared by all viewers for five, and a refresh of a page takes what is shared.
CACHE_SECONDS = 5
DATA_CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": CACHE_SECONDS, "CACHE_THRESHOLD": 500}
DASHBOARD_AUTO_REFRESH_MODE = "fetch"

# Evidence links open in a new tab.
HTML_SANITIZATION_SCHEMA_EXTENSIONS = {"attributes": {"a": ["href", "target", "rel"]}}

ASSETS_HOST = "warehouse"  # what the exported database asset names
STATEMENT_TIMEOUT_SECONDS = 30


def DB_CONNECTION_MUTATOR(
    uri: URL, params: dict[str, Any], username: str, security_manager: object, source: object
) -> tuple[URL, dict[str, Any]]:
    """Lead the assets' address to the warehouse that runs: ports and passwords are not part of a dashboard."""
    if uri.host == ASSETS_HOST:
        actual = make_url(os.environ["CX_BI_URL"])
        uri = uri.set(
            username=actual.username, password=actual.password, host=actual.host, port=actual.port, database=actual.database
        )
        options = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c timezone=UTC"
        params = {
            **params,
            "connect_args": {**params.get("connect_args", {}), "options": options, "application_name": "superset"},
        }
    return uri, params


CLICKS = Path(__file__).with_name("superset_clicks.js")


def FLASK_APP_MUTATOR(app: Flask) -> None:
    """Put our clicks into the place that Superset keeps for a site's own script."""
    nonce = '{{ csp_nonce() if csp_nonce is defined else "" }}'
    script = f'<script nonce="{nonce}">{{% raw %}}{CLICKS.read_text()}{{% endraw %}}</script>'
    app.jinja_loader = ChoiceLoader([DictLoader({"tail_js_custom_extra.html": script}), app.jinja_loader])


# Okabe and Ito's colours: told apart by every common kind of colour blindness.
OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F", "#B8A900", "#000000"]
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "okabe_ito",
        "description": "Told apart by colour-blind readers too",
        "label": "Okabe and Ito",
        "isDefault": True,
        "colors": OKABE_ITO,
    }
]
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "vermilion_blue",
        "description": "Bad to good, by hue and by lightness",
        "label": "Vermilion to blue",
        "isDiverging": True,
        "isDefault": False,
        "colors": ["#B34700", "#E08A4E", "#F3D3B8", "#F2F2F2", "#BCD9EC", "#5FA5D3", "#005A8C"],
    }
]
