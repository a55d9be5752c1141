"""Benchmarks that need no server run, in a tiny form, and print what the convention asks for."""

import json
import subprocess
import sys


def result(*arguments: str, seconds: float = 240) -> dict[str, object]:
    """The JSON object on the last line of a benchmark's output."""
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {"name", "figures", "baseline", "ratio"}
    return found


def test_the_fold_and_the_columns_come_to_one_digest() -> None:
    found = result("bench.rebuild", "--fills", "3000", "--accounts", "40")
    figures: dict[str, object] = found["figures"]  # type: ignore[assignment]
    assert (found["name"], figures["fills"], figures["positions"]) == ("rebuild", 3000, 40)


def test_matching_says_what_the_naive_book_says() -> None:
    found = result("bench.matching", "--operations", "600")
    assert found["name"] == "matching"
    assert found["figures"]["operations"] == 600  # type: ignore[index]


def test_the_margin_pass_says_what_the_plain_loop_and_quantlib_say() -> None:
    found = result("bench.margin", "--quick", "--accounts", "40")
    assert found["name"] == "margin"
    assert found["figures"]["accounts"] == 40  # type: ignore[index]
