"""qct inspect."""

from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    commands.add_parser("inspect", help=__doc__)
