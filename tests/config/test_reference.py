"""The printed reference is the one in the documentation."""

from __future__ import annotations

from pathlib import Path

from propylon.config.reference import MARKER, render, renew

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(MARKER)[2] == f"\n{render()}"


def test_renewing_changes_only_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"text\n{MARKER}old", encoding="utf-8")
    renew(page)
    assert page.read_text(encoding="utf-8") == f"text\n{MARKER}\n{render()}"
    assert "| `listen_port` | `TYK_GW_LISTENPORT` | int | `8080` | honoured |" in render()
