"""Imports point one way, typing imports included, and every module can be imported alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "propylon"

# From the bottom up; a part may import from its own line and from lines above it.
LAYERS = (
    ("errors",),
    ("http",),
    ("config",),
    ("apis",),
    ("pipeline",),
    ("observe",),
    ("steps", "plugins"),
    ("chain",),
    ("net",),
    ("gateway",),
    ("server", "build", "lint"),
    ("processes",),
    ("cli",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# Importable from anywhere: it knows nothing of the gateway.
LOGS = "propylon.observe.logs"
LOG_PARTS = {LOGS, "propylon.observe.formats", "propylon.observe.line_writer"}

MODULES = {
    ".".join(("propylon", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): file
    for file in sorted(PACKAGE.rglob("*.py"))
    if file.name != "__main__.py"
}


def imports_of(file: Path) -> set[str]:
    """The modules of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                found.add(whole if whole in MODULES else node.module)
    return {name for name in found if name.startswith("propylon.")}


def part_of(module: str) -> str:
    return module.split(".")[1]


def test_every_part_has_a_layer() -> None:
    parts = {part_of(module) for module in MODULES if module != "propylon"}
    assert parts == set(LEVEL)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"propylon"}))
def test_imports_point_down(module: str) -> None:
    level = LEVEL[part_of(module)]
    wrong = {
        name
        for name in imports_of(MODULES[module])
        if name not in LOG_PARTS and LEVEL[part_of(name)] > level
    }
    assert wrong == set()


def test_logs_know_nothing_above_the_configuration() -> None:
    for module in LOG_PARTS:
        allowed = LEVEL["config"]
        names = imports_of(MODULES[module]) - LOG_PARTS
        assert {name for name in names if LEVEL[part_of(name)] > allowed} == set()


def test_no_module_is_in_a_circle() -> None:
    graph = {module: imports_of(file) & set(MODULES) for module, file in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for name in sorted(graph[module] - {module}):
            visit(name, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_each_part_can_be_imported_alone() -> None:
    """One process per part; the modules inside are then imported in an order of their own."""
    for parts in LAYERS:
        for part in parts:
            names = [module for module in MODULES if module.split(".")[1:2] == [part]]
            names = [name for name in names if not name.endswith("worker_main")]
            program = "; ".join(f"import {name}" for name in reversed(names))
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", program], capture_output=True, timeout=30
            )
            assert done.returncode == 0, done.stderr.decode()


def test_the_map_of_the_architecture_is_complete() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = set(re.findall(r"`([\w]+)(?:/|\.py)`", text))
    assert set(LEVEL) <= rows


def test_every_file_says_what_it_is_for() -> None:
    for file in MODULES.values():
        assert ast.get_docstring(ast.parse(file.read_text())), file
