"""Lint: everything that is wrong, in one list, and no file is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from propylon.lint import lint


def write(tmp_path: Path, conf: dict[str, Any], **apis: Any) -> str:
    (tmp_path / "apps").mkdir()
    for name, content in apis.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "apps" / f"{name}.json").write_text(text)
    file = tmp_path / "tyk.conf"
    file.write_text(json.dumps({"app_path": str(tmp_path / "apps"), **conf}))
    return str(file)


API: dict[str, Any] = {
    "api_id": "a",
    "active": True,
    "use_keyless": True,
    "proxy": {"listen_path": "/a", "target_url": "http://localhost:1"},
}


def with_default_version(**settings: Any) -> dict[str, Any]:
    version = {"name": "Default", "use_extended_paths": True, **settings}
    return {**API, "version_data": {"not_versioned": True, "versions": {"Default": version}}}


def test_a_clean_installation_has_no_issues(tmp_path: Path) -> None:
    path = write(tmp_path, {"listen_port": 8080, "secret": "x"}, a=API)
    before = Path(path).read_bytes()
    report = lint(path, {})
    assert report.issues == report.notices == ()
    assert Path(path).read_bytes() == before


def test_mistakes_of_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, {"listen_port": "x", "log_level": "loud"})
    assert lint(path, {}).issues == (
        f'{path}: $.listen_port: "x", expected a whole number',
        f'{path}: $.log_level: "loud", expected one of debug, info, warn, error',
    )


def test_mistakes_of_definitions_and_notices(tmp_path: Path) -> None:
    broken = {**API, "api_id": "b", "proxy": {"listen_path": 1}}
    path = write(tmp_path, {"listen_prot": 1}, a=API, b=broken)
    report = lint(path, {})
    assert report.notices == (
        f"{path}: $.listen_prot: unknown key, ignored; did you mean listen_port?",
    )
    (issue,) = report.issues
    assert issue.startswith(f"{tmp_path}/apps/b.json: $.proxy.listen_path: 1, expected a str")


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (with_default_version(extended_paths={"black_list": [{"path": "(("}]}), "(("),
        (with_default_version(global_headers={"X-A": "a\r\nX-B: b"}), "global_headers"),
        ({**API, "proxy": {**API["proxy"], "listen_path": "/{x:[}/"}}, "$.proxy.listen_path"),
        (
            {
                **API,
                "custom_middleware": {
                    "driver": "otto",
                    "pre": [{"name": "hook", "path": "none/hook.js"}],
                },
            },
            "none/hook.js",
        ),
    ],
    ids=["black list", "header", "listen path", "hook file"],
)
def test_what_only_building_finds(tmp_path: Path, definition: dict[str, Any], told: str) -> None:
    path = write(tmp_path, {"enable_jsvm": True}, a=definition)
    (issue,) = lint(path, {}).issues
    assert issue.startswith(f"{tmp_path}/apps/a.json: ")
    assert told in issue


def test_a_plugin_process_is_not_started(tmp_path: Path) -> None:
    options = {
        "enable_coprocess": True,
        "coprocess_command": "/bin/touch",
        "coprocess_args": [str(tmp_path / "started")],
    }
    hooked = {**API, "custom_middleware": {"driver": "stdio", "pre": [{"name": "x"}]}}
    path = write(tmp_path, {"coprocess_options": options}, a=hooked)
    assert lint(path, {}).issues == ()
    assert not (tmp_path / "started").exists()


def test_the_folder_of_definitions_under_the_name_that_gives_it(tmp_path: Path) -> None:
    path = write(tmp_path, {"app_path": "/nonexistent"})
    complaint = '$.app_path: "/nonexistent", expected a folder of API definitions'
    assert lint(path, {}).issues == (f"{path}: {complaint}",)
    (issue,) = lint(path, {"TYK_GW_APPPATH": "/nonexistent"}).issues
    assert issue == f"TYK_GW_APPPATH: {complaint}"


def test_certificates_of_a_tls_listener(tmp_path: Path) -> None:
    cert = trustme.CA().issue_cert("localhost")
    cert.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    cert.private_key_pem.write_to_path(tmp_path / "key.pem")
    good = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    bad = [
        {**good, "cert_file": "/nonexistent.pem"},
        {**good, "key_file": "/nonexistent.key"},
        {**good, "cert_file": str(tmp_path / "key.pem")},
    ]
    options = {"use_ssl": True, "certificates": [good, *bad]}
    path = write(tmp_path, {"http_server_options": options})
    first, second, third = lint(path, {}).issues
    where = f"{path}: $.http_server_options.certificates"
    reason = "cannot be read: No such file or directory"
    assert first == f'{where}[1].cert_file: "/nonexistent.pem" {reason}'
    assert second == f'{where}[2].key_file: "/nonexistent.key" {reason}'
    assert third.startswith(f'{where}[3].cert_file: "{tmp_path}/key.pem" cannot be used: ')


def test_a_tls_listener_without_certificates(tmp_path: Path) -> None:
    path = write(tmp_path, {"http_server_options": {"use_ssl": True}})
    (issue,) = lint(path, {}).issues
    where = f"{path}: $.http_server_options.use_ssl"
    assert issue == f"{where}: true, but http_server_options.certificates lists none"


def test_keys_that_stand_twice_are_noticed(tmp_path: Path) -> None:
    text = json.dumps(API)[:-1] + ', "name": "x", "name": "y"}'
    path = write(tmp_path, {}, a=text)
    report = lint(path, {})
    assert report.issues == ()
    assert report.notices == (f"{tmp_path}/apps/a.json: $.name: listed twice, the last counts",)
