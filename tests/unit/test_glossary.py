"""One word per concept: what names a file of the clearing house has its row, each row once and in its place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|", 1))
    for line in (ROOT / "docs/glossary.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| term |")
]
FILES = sorted(
    path.relative_to(ROOT)
    for path in [*(ROOT / "services/clearing").rglob("*.py"), *(ROOT / "services/clearing").glob("*/")]
    if not path.name.startswith("__")
)


def nouns(term: str) -> set[str]:
    """A term as a file would be named: its words, and all of them in one."""
    bare = re.sub(r"\(.*?\)", "", term).lower()
    return {re.sub(r"[^a-z]", "", word) for word in [*re.split(r"[ ,/]+", bare), *bare.split(",")]}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_what_names_a_file_of_clearing_is_in_the_glossary(file: Path) -> None:
    wanted = {file.stem, file.stem.removesuffix("s"), file.stem.removesuffix("ing")}
    named = {noun for term, _ in ROWS for noun in nouns(term)}
    pointed = any(str(file) in text or f"`{file.name}`" in text for _, text in ROWS)
    assert wanted & named or pointed, f"docs/glossary.md has no row for {file.stem}"


def test_rows_are_sorted_and_each_is_there_once() -> None:
    terms = [term.casefold() for term, _ in ROWS]
    assert terms == sorted(terms)
    assert len(set(terms)) == len(terms)
