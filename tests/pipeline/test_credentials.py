"""Where a credential is found, and editing a query without touching the rest of it."""

from __future__ import annotations

import msgspec
import pytest

from propylon.apis.definition import AuthConfig
from propylon.http.headers import Headers
from propylon.http.message import Request
from propylon.pipeline.credentials import places_of, strip_bearer
from propylon.pipeline.query import first_value, with_query, without


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({}, "header"),
        ({"auth_header_name": "x-key"}, "other"),
        ({"disable_header": True}, ""),
        ({"use_param": True}, "parameter"),
        ({"use_param": True, "param_name": "absent"}, "header"),
        ({"use_param": True, "use_cookie": True, "cookie_name": "sid"}, "cookie"),
        ({"use_cookie": True}, "header"),
    ],
)
def test_row_080_last_place_that_holds_one_wins(auth: dict[str, object], expected: str) -> None:
    headers = Headers(
        [
            (b"Authorization", b"header"),
            (b"X-Key", b"other"),
            (b"Cookie", b"sid2=no; sid=cookie"),
        ]
    )
    request = Request("GET", "/p?a=1&Authorization=parameter", headers)
    assert places_of(msgspec.convert(auth, AuthConfig)).find(request) == expected


@pytest.mark.parametrize(
    ("sent", "key"),
    [("Bearer k", "k"), ("bEaReR k", "k"), ("Bearer  k", " k"), ("k", "k"), ("Bearerk", "Bearerk")],
)
def test_row_081_bearer(sent: str, key: str) -> None:
    assert strip_bearer(sent) == key


def test_query_edits_keep_the_rest() -> None:
    query = "b=%20&key=1&a&key=2&%6bey=3&c="
    assert first_value(query, "key") == "1"
    assert first_value("k%65y=a+b", "key") == "a b"
    assert first_value(query, "none") is None
    assert without(query, "key") == "b=%20&a&c="
    assert with_query("/p?x", "y") == "/p?y"
    assert with_query("/p?x", "") == "/p"
