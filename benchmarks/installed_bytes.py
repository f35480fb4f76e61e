"""How much disk a library and everything it requires take: `python installed_bytes.py DISTRIBUTION` prints bytes."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path


def installed_bytes(name: str) -> int:
    """Files of the distribution `name` and of all that it requires here, without extras."""
    total = 0
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        try:
            found = distribution(current)
        except PackageNotFoundError:  # required on other systems or Pythons only
            continue
        total += own_bytes(found)
        for requirement in found.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-"))
    return total


def own_bytes(found: Distribution) -> int:
    """Files that the distribution's record lists, or its package's folder where it was installed editable."""
    listed = {Path(str(file.locate())).resolve() for file in found.files or ()}
    specification = importlib.util.find_spec(found.metadata["Name"].replace("-", "_").lower())
    origin = Path(specification.origin).resolve() if specification and specification.origin else None
    if origin is not None and origin not in listed:
        listed |= set(origin.parent.rglob("*"))
    return sum(file.stat().st_size for file in listed if file.is_file())


if __name__ == "__main__":
    print(installed_bytes(sys.argv[1]))
