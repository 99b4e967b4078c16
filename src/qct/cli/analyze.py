"""qct analyze."""

from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    commands.add_parser("analyze", help=__doc__)
