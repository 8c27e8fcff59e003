"""No file of the project holds what a merge left undecided."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("dltrain", "configs", "docs", "tests", "benchmarks")
MARK = re.compile(rf"^({'<' * 7}|{'>' * 7}|{'[|]' * 7})( |$)", re.MULTILINE)


def test_no_text_has_marks_of_a_merge() -> None:
    texts = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    texts += [p for name in FOLDERS for p in (ROOT / name).rglob("*") if p.suffix in (".py", ".md", ".yaml", ".json")]
    assert len(texts) > 300
    assert [str(path) for path in texts if MARK.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("line", ["<" * 7 + " HEAD", ">" * 7 + " other", "|" * 7 + " base"])
def test_a_mark_is_seen(line: str) -> None:
    assert MARK.search(f"text\n{line}\nmore")
