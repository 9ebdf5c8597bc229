"""Where the dashboards of one stack live: `<run directory>/superset`, with a port, a log-in and a secret that are kept (0600)."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ops.settings import PROJECT_DIRECTORY, read_env_file
from ops.stack import layout

ASSETS = PROJECT_DIRECTORY / "dbt_project" / "dashboards"
PROGRAMS = Path(__file__).resolve().parent
ENVIRONMENT = PROJECT_DIRECTORY / ".run" / "superset" / "venv"
ADMINISTRATOR, VIEWER = "admin", "viewer"
PORT = 8088  # Superset's own, and what dbt's exposures say; another when it is taken
SLUGS = ("driver-sentiment", "accounts-at-risk", "can-i-trust-this")


@dataclass(frozen=True)
class Place:
    """One Superset: its directory, its port on 127.0.0.1, the passwords of administrator and viewer, its signing secret."""

    run_directory: Path
    port: int
    password: str
    viewer_password: str
    secret: str

    @property
    def directory(self) -> Path:
        return self.run_directory / "superset"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.run_directory / "logs" / "superset.log"

    def address(self, slug: str) -> str:
        """Where a browser opens a dashboard."""
        return f"{self.url}/superset/dashboard/{slug}/"

    def environment(self, bi_url: str) -> dict[str, str]:
        """The environment of every program of Superset; it reads the warehouse through this address alone."""
        return {
            **os.environ,
            "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ.get('PATH', '')}",
            "SUPERSET_HOME": str(self.directory),
            "SUPERSET_CONFIG_PATH": str(PROGRAMS / "superset_config.py"),
            "SUPERSET_SECRET_KEY": self.secret,
            "SCARF_ANALYTICS": "false",
            "CX_BI_URL": bi_url,
            "CX_DASHBOARDS_PASSWORD": self.password,
            "CX_DASHBOARDS_VIEWER_PASSWORD": self.viewer_password,
        }


def prepare(run_directory: Path) -> Place:
    """The place in this run directory; what is not chosen yet is chosen and written down."""
    file = run_directory / "superset" / "login.env"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = read_env_file(file)
    place = Place(
        run_directory=run_directory,
        port=int(kept.get("CX_DASHBOARDS_PORT") or layout.free_port(PORT)),
        password=kept.get("CX_DASHBOARDS_PASSWORD") or secrets.token_urlsafe(12),
        viewer_password=kept.get("CX_DASHBOARDS_VIEWER_PASSWORD") or secrets.token_urlsafe(12),
        secret=kept.get("SUPERSET_SECRET_KEY") or secrets.token_urlsafe(42),
    )
    lines = {
        "CX_DASHBOARDS_PORT": str(place.port),
        "CX_DASHBOARDS_PASSWORD": place.password,
        "CX_DASHBOARDS_VIEWER_PASSWORD": place.viewer_password,
        "SUPERSET_SECRET_KEY": place.secret,
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    layout.write_private(file, f"# Passwords of admin (edits) and viewer (reads), and what signs their sessions.\n{text}")
    return place
