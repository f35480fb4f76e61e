"""Every Python example in README.md and docs/ runs, and every command that is named exists."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL_FENCE = re.compile(r"^```(?:|bash|console|sh|shell|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_blocks(page: Path) -> Iterator[tuple[int, str]]:
    """The line at which each block begins, counted from 0, and its text."""
    text = page.read_text()
    for block in FENCE.finditer(text):
        yield text.count("\n", 0, block.start(1)), block.group(1)


def compile_at(page: Path, line: int, source: str) -> CodeType:
    """Compile so that a traceback shows the page and the line in it."""
    return compile("\n" * line + source, str(page), "exec")


def run_as_doctest(page: Path, line: int, source: str, names: dict[str, object]) -> None:
    """Run a block of `>>>` lines and compare what they print; later blocks see the names it makes."""
    example = doctest.DocTestParser().get_doctest(source, names, page.name, str(page), line)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    result = runner.run(example, out=report.append, clear_globs=False)
    names.update(example.globs)
    assert result.failed == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run from top to bottom in one namespace, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, source in python_blocks(page):
        if source.lstrip().startswith(">>>"):
            run_as_doctest(page, line, source, names)
        else:
            exec(compile_at(page, line, source), names)


def test_readme_shows_an_example() -> None:
    assert any("penstock" in source for _, source in python_blocks(README))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    commands = "\n".join([*re.findall(r"`([^`\n]+)`", text), *SHELL_FENCE.findall(text)])
    named = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", commands, re.MULTILINE))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
