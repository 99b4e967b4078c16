"""What made a result: a digest of the code and the tables that decide its numbers.

A version says what was released. Between two releases, and in a copy that somebody has changed, two programs
share a version and may measure differently; the digest tells them apart.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

DECIDES = ("read", "segment", "measure", "interpret", "kernels")
"""Packages that decide a number, with the tables inside; the modules beside them do, too."""

SUFFIXES = (".py", ".toml", ".json", ".csv", ".npz")

DIGITS = 12


@cache
def code_digest() -> str:
    """Return `DIGITS` hexadecimal digits of SHA-256 over the files that decide a number.

    The same in a wheel, a zip file and a working copy, whatever the line endings; names count, so that a
    renamed table is another state.
    """
    root = files("qct")
    found = [one for one in root.iterdir() if one.is_file()]
    pairs = [(one.name, one) for one in found]
    for name in DECIDES:
        pairs += _below(root / name, name)
    digest = sha256()
    for name, one in sorted(pairs, key=lambda pair: pair[0]):
        if name.endswith(SUFFIXES):
            content = one.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:DIGITS]


def _below(folder: Traversable, path: str) -> list[tuple[str, Traversable]]:
    """Return every file below a folder with its path."""
    pairs: list[tuple[str, Traversable]] = []
    for one in folder.iterdir():
        name = f"{path}/{one.name}"
        pairs += _below(one, name) if one.is_dir() else [(name, one)]
    return pairs
