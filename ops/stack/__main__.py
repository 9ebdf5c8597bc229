"""`python -m ops.stack RUN_DIRECTORY [--without PART]...`: the supervisor in the foreground, as `cx up` starts it."""

import argparse
import sys
import time
from pathlib import Path

import click

from ops.stack import layout, postgres
from ops.stack.parts import all_parts, missing_commands
from ops.stack.supervisor import supervise


def run(run_directory: Path, without: tuple[str, ...]) -> None:
    """Run the stack of this directory until SIGTERM or SIGINT, saying what happens, one line each."""
    stack = layout.load(run_directory) or layout.prepare(run_directory)
    for name in missing_commands():
        _say(f"{name} is left out: this installation does not have its command")
    supervise(stack, [part for part in all_parts(stack) if part.name not in without], _say)


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_directory", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="PART")
    arguments = parser.parse_args()
    try:
        run(arguments.run_directory.resolve(), tuple(arguments.without))
    except (layout.StackError, postgres.PostgresMissing) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
