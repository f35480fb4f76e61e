"""What the house asks of every file, where no linter asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "penstock").rglob("*.py"))
MOST_LINES = 400
NAMES_THAT_SAY_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short_and_well_named(path: Path) -> None:
    num_lines = len(path.read_text().splitlines())
    assert num_lines <= MOST_LINES, f"{path.name} has {num_lines} lines; make it a package of smaller modules"
    assert path.stem.lstrip("_") not in NAMES_THAT_SAY_NOTHING, f"{path.name} does not say what it is"


def test_package_is_typed_and_has_no_stubs() -> None:
    package = ROOT / "src" / "penstock"
    assert (package / "py.typed").exists()
    assert list(package.rglob("*.pyi")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "src/penstock/transforms").glob("[!_]*")), ids=lambda path: path.stem)
def test_transformation_has_a_test_file(path: Path) -> None:
    if path.suffix == ".py" or (path.is_dir() and list(path.glob("*.py"))):
        assert (ROOT / "tests/transforms" / f"test_{path.stem}.py").exists(), "state its reference and CASE there"
