"""House rules that a reader relies on."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from truetape import codegen

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 450
FILE_LINES_OF_KAFKA = 700
"""truetape/log.py: the one module that may know the Kafka client holds all that needs it."""
SOURCES = [
    path
    for folder in ("truetape", "services", "venues", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path not in (codegen.MESSAGES, codegen.RECORDS)
]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{name} {lines}"
        for path in SOURCES
        for name, lines in functions(path)
        if lines > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_file_grows_without_end() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert sizes.pop("truetape/log.py") <= FILE_LINES_OF_KAFKA
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


def test_topic_names_stand_in_the_registry_alone() -> None:
    from truetape.topics import ALL

    names = [topic.name for topic in ALL if "." in topic.name]
    pattern = re.compile("|".join(rf"[\"']{re.escape(name)}[\"']" for name in names))
    offenders = [
        str(path.relative_to(ROOT)) for path in SOURCES if path.name != "topics.py" and pattern.search(path.read_text())
    ]
    assert offenders == []


@pytest.mark.parametrize("core", sorted((ROOT / "services").glob("*/core.py")), ids=lambda path: path.parent.name)
def test_a_core_asks_no_clock_and_no_chance(core: Path) -> None:
    assert not re.search(
        r"\b(time\.time|datetime\.now|uuid4|random\.|os\.environ|perf_counter|random_id|secrets\.)", core.read_text()
    )


def test_every_service_says_what_it_owns_reads_and_writes() -> None:
    for init in sorted((ROOT / "services").glob("*/__init__.py")):
        doc = ast.get_docstring(ast.parse(init.read_text())) or ""
        for word in ("Owns", "Reads", "Writes", "Invariants"):
            assert word in doc, f"{init.parent.name}/__init__.py does not say {word}"


def test_no_secret_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in tracked if name == ".env" or name.startswith(".truetape/")]
