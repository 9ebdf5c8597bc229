"""Bring Superset up to date in one process: its own tables, roles, one administrator, and our assets.

Run by Superset's Python: superset_provision.py <assets directory>. Running it again changes nothing but what differs.
From the environment: what superset_config.py reads, and CX_DASHBOARDS_PASSWORD.
"""
# mypy: disable-error-code="import-not-found,import-untyped"
# ruff: noqa: PLC0415 - what Superset's modules import wants its application first

import os
import sys
from pathlib import Path
from typing import Any

ADMINISTRATOR = "admin"


def contents(directory: Path) -> dict[str, str]:
    """The assets as Superset's importer takes them: text by path below the directory."""
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*.yaml"))}


def provision(app: Any, directory: Path, password: str) -> None:
    """Do everything within the application."""
    import flask_migrate
    from superset import appbuilder, security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.extensions import db
    from superset.utils.core import override_user

    with app.app_context():
        flask_migrate.upgrade()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        if not security_manager.find_user(ADMINISTRATOR):
            role = security_manager.find_role("Admin")
            security_manager.add_user(ADMINISTRATOR, "Dashboards", "Administrator", "admin@example.com", role, password)
        security_manager.reset_password(security_manager.find_user(ADMINISTRATOR).id, password)
        db.session.commit()
        with override_user(security_manager.find_user(ADMINISTRATOR)):
            ImportAssetsCommand(contents(directory)).run()


if __name__ == "__main__":
    from superset.app import create_app

    provision(create_app(), Path(sys.argv[1]), os.environ["CX_DASHBOARDS_PASSWORD"])
