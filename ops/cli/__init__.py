"""`cx`: one command, one module per subcommand, loaded only when it is called."""

import importlib
import logging
import sys

import click

from ops.settings import SettingsError

SUBCOMMANDS = {
    "up": "ops.cli.up:up",
    "down": "ops.cli.down:down",
    "demo": "ops.cli.demo:demo",
    "prepare": "ops.cli.prepare:prepare",
    "status": "ops.cli.status:status",
    "import": "ops.cli.import_file:import_file",
    "simulate": "ops.cli.simulate:simulate",
    "worker": "ops.cli.worker:worker",
    "publish": "ops.cli.publish:publish",
    "alerts": "ops.cli.alerts:alerts",
    "dead-letters": "ops.cli.dead_letters:dead_letters",
    "reconcile": "ops.cli.reconcile:reconcile",
    "report": "ops.cli.report:report",
    "backfill": "ops.cli.backfill:backfill",
    "doctor": "ops.cli.doctor:doctor",
    "bench": "ops.cli.bench:bench",
    "outbound": "ops.cli.outbound:outbound",
    "webhooks": "ops.cli.webhooks:webhooks",
    "dashboards": "ops.cli.dashboards:dashboards",
}

GOOD, BAD_DATA, COULD_NOT_RUN = 0, 1, 2


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when that subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, name = SUBCOMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cx() -> None:
    """CX Signals: from an AI enrichment store to marts that BI trusts, in seconds."""


def main() -> None:
    """Entry point of the `cx` command: a user's mistake ends in one line and exit code 2, never in a stack trace."""
    # What Kafka's client logs of a broker that refuses it comes back as one sentence of ours; `cx worker` logs both.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        cx()
    except SettingsError as error:
        click.echo(f"cx: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    except Exception as error:
        if not is_about_a_connection(error):
            raise
        click.echo(f"cx: a database does not answer: {' '.join(str(error.__cause__ or error).split())}", err=True)
        sys.exit(COULD_NOT_RUN)


def is_about_a_connection(error: BaseException) -> bool:
    """Whether a database driver says that a server is away or refuses the log-in; drivers not loaded cannot have said it."""
    modules = [sys.modules[name] for name in ("psycopg", "sqlalchemy.exc") if name in sys.modules]
    return isinstance(error, tuple(module.OperationalError for module in modules))
