"""Lint: everything that is wrong, in one list, and no file is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from propylon.lint import lint


def write(tmp_path: Path, conf: dict[str, Any], **apis: Any) -> str:
    (tmp_path / "apps").mkdir()
    for name, content in apis.items():
        (tmp_path / "apps" / f"{name}.json").write_text(json.dumps(content))
    file = tmp_path / "tyk.conf"
    file.write_text(json.dumps({"app_path": str(tmp_path / "apps"), **conf}))
    return str(file)


API = {
    "api_id": "a",
    "active": True,
    "use_keyless": True,
    "proxy": {"listen_path": "/a", "target_url": "http://localhost:1"},
}


def test_a_clean_installation_has_no_issues(tmp_path: Path) -> None:
    path = write(tmp_path, {"listen_port": 8080, "secret": "x"}, a=API)
    before = Path(path).read_bytes()
    assert lint(path, {}) == []
    assert Path(path).read_bytes() == before


def test_mistakes_of_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, {"listen_port": "x", "log_level": "loud"})
    assert lint(path, {}) == [
        f'{path}: $.listen_port: "x", expected a whole number',
        f'{path}: $.log_level: "loud", expected one of debug, info, warn, error',
    ]


def test_mistakes_of_definitions_and_notices(tmp_path: Path) -> None:
    broken = {**API, "api_id": "b", "proxy": {"listen_path": 1}}
    path = write(tmp_path, {"listen_prot": 1}, a=API, b=broken)
    issues = lint(path, {})
    assert issues[0] == f"{path}: $.listen_prot: unknown key, ignored; did you mean listen_port?"
    assert issues[1].startswith(f"{tmp_path}/apps/b.json: $.proxy.listen_path: 1, expected a str")
