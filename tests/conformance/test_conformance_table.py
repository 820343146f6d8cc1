"""The tables of docs/conformance.md cannot rot: every row is there, every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
TESTS = ROOT / "tests"

# The checklists that the tables answer, each numbered without gaps: javascript-plugins 9,
# rich-plugins 10 (with two rows put in between later) and gateway-core 11.
TABLES = {
    "JavaScript plugins": [str(number) for number in range(1, 125)],
    "Rich plugins": [
        *(str(number) for number in range(1, 64)),
        "63a",
        *(str(number) for number in range(64, 102)),
        "101a",
        *(str(number) for number in range(102, 205)),
    ],
    "Gateway core": [str(number) for number in range(1, 187)],
}

STATUSES = ("tested", "partly", "later", "different", "not applicable")

_REFERENCE = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def rows_of(title: str) -> list[list[str]]:
    """Return the cells of one table: number, behaviour, status, proof or reason."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in ast.walk(tree) if isinstance(node, functions))
    return frozenset(name for name in names if name.startswith("test_"))


@pytest.mark.parametrize("title", TABLES)
def test_every_row_is_there_once_and_in_order(title: str) -> None:
    assert [row[0] for row in rows_of(title)] == TABLES[title]


@pytest.mark.parametrize("title", TABLES)
def test_every_row_is_complete(title: str) -> None:
    for row in rows_of(title):
        assert len(row) == 4, row
        number, behaviour, status, proof = row
        assert behaviour, number
        assert status in STATUSES, number
        if status in ("tested", "partly"):
            assert _REFERENCE.search(proof), f"{title} {number} names no test"
        else:
            assert proof, f"{title} {number} gives no reason"
        if status in ("partly", "different"):
            assert _REFERENCE.sub("", proof).strip(" ,;:"), f"{title} {number} does not say how"


@pytest.mark.parametrize("title", TABLES)
def test_every_test_that_is_named_exists(title: str) -> None:
    for number, _, _, proof in rows_of(title):
        for file, name in _REFERENCE.findall(proof):
            path = TESTS / file
            assert path.is_file(), f"{title} {number}: no file {file}"
            assert name in names_in(path), f"{title} {number}: no test {name} in {file}"
        assert proof.count("::") == len(_REFERENCE.findall(proof)), f"{title} {number}: {proof}"


def test_the_counts_are_those_of_the_tables() -> None:
    page = PAGE.read_text("utf-8")
    for title in TABLES:
        counts = [sum(row[2] == status for row in rows_of(title)) for status in STATUSES]
        line = " | ".join([title, *map(str, counts)])
        assert f"| {line} |" in page, f"write: | {line} |"
