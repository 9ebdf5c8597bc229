"""Bring Superset up to date in one process: its own tables and roles, our assets, an administrator, and who only reads.

Run by Superset's Python: superset_provision.py <assets directory>. Running it again changes nothing but what differs.
From the environment: what superset_config.py reads, CX_DASHBOARDS_PASSWORD and CX_DASHBOARDS_VIEWER_PASSWORD.
"""
# mypy: disable-error-code="import-not-found,import-untyped"
# ruff: noqa: PLC0415 - what Superset's modules import wants its application first

import os
import sys
from pathlib import Path
from typing import Any

ADMINISTRATOR, VIEWER = "admin", "viewer"
ROLE_OF_VIEWERS = "Viewer"
# Besides what Superset lets a reader without a log-in do: tickets behind a number, values of a filter, a chart's rows as CSV.
FOR_VIEWERS = {
    ("menu_access", "Dashboards"),
    ("can_drill", "Dashboard"),
    ("can_get_drill_info", "Dataset"),
    ("can_samples", "Datasource"),
    ("can_get_column_values", "Datasource"),
    ("can_csv", "Superset"),
    ("can_welcome", "Superset"),
    ("can_log", "Superset"),
    ("can_read", "SecurityRestApi"),
    ("can_recent_activity", "Log"),
}


def contents(directory: Path) -> dict[str, str]:
    """The assets as Superset's importer takes them: text by path below the directory."""
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*.yaml"))}


def provision(app: Any, directory: Path, passwords: dict[str, str]) -> None:
    """Do everything within the application."""
    import flask_migrate
    from superset import appbuilder, security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    with app.app_context():
        flask_migrate.upgrade()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        administrator = ensure_user(ADMINISTRATOR, security_manager.find_role("Admin"), passwords[ADMINISTRATOR])
        with override_user(administrator):
            ImportAssetsCommand(contents(directory)).run()
        ensure_user(VIEWER, role_of_viewers(), passwords[VIEWER])


def ensure_user(name: str, role: Any, password: str) -> Any:
    """The user with this one role and this password."""
    from superset import security_manager
    from superset.extensions import db

    if not security_manager.find_user(name):
        security_manager.add_user(name, "Dashboards", name.capitalize(), f"{name}@example.com", role, password)
    user = security_manager.find_user(name)
    user.roles = [role]
    security_manager.reset_password(user.id, password)
    db.session.commit()
    return security_manager.find_user(name)


def role_of_viewers() -> Any:
    """Who reads: every dashboard on the warehouse, and nothing to edit. It needs the imported database."""
    from superset import security_manager
    from superset.extensions import db
    from superset.models.core import Database

    role = security_manager.add_role(ROLE_OF_VIEWERS)
    databases = {("database_access", database.perm) for database in db.session.query(Database)}
    allowed = security_manager.PUBLIC_ROLE_PERMISSIONS | FOR_VIEWERS | databases
    role.permissions = [security_manager.add_permission_view_menu(*permission) for permission in sorted(allowed)]
    db.session.commit()
    return role


if __name__ == "__main__":
    from superset.app import create_app

    chosen = {
        ADMINISTRATOR: os.environ["CX_DASHBOARDS_PASSWORD"],
        VIEWER: os.environ["CX_DASHBOARDS_VIEWER_PASSWORD"],
    }
    provision(create_app(), Path(sys.argv[1]), chosen)
