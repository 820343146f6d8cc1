"""Bodies cross the hooks byte for byte, and what changes is framed anew."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from site_kit import Site

from support.raw_client import Answer

site = Site(jsvm_timeout=10)


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site.running(tmp_path_factory.mktemp("bodies")) as started:
        yield started


site.scripts("js-noop", pre=[""], post=[""])
site.plugin("rich-noop", pre=[{"noop": 1}], post=[{"reply": {"request": {}}}])
site.scripts("js-ignore", pre=['request.Body = "lost"; request.IgnoreBody = true;'])
site.scripts("js-append", pre=['request.Body += "é!";'])

EXTREMES = [
    bytes(range(256)),
    b"\xff\xfe\x00",
    b"\xed\xa0\x80",
    "é😀".encode(),
    b"\0" * 10,
    b"\xc3",
]
bounded = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("api", ["js-noop", "rich-noop", "js-ignore"])
@bounded
@given(body=st.binary(max_size=2000))
def test_untouched_bodies_keep_their_bytes(api: str, body: bytes) -> None:
    assert site.ask(f"/{api}/x", method="POST", body=body).status == 200
    received = site.last(api)
    assert received.body == body
    assert received.all("Content-Length") == [str(len(body))]


for each in EXTREMES:
    test_untouched_bodies_keep_their_bytes = example(body=each)(
        test_untouched_bodies_keep_their_bytes
    )


@bounded
@given(body=st.binary(max_size=500))
def test_scripts_append_text_to_any_bytes(body: bytes) -> None:
    assert site.ask("/js-append/x", method="POST", body=body).status == 200
    received = site.last("js-append")
    assert received.body == body + "é!".encode()
    assert received.all("Content-Length") == [str(len(body) + 3)]


for each in EXTREMES:
    test_scripts_append_text_to_any_bytes = example(body=each)(
        test_scripts_append_text_to_any_bytes
    )

site.scripts("js-new", pre=['request.Body = "new body";'], post=['request.Body += "!";'])
site.plugin(
    "rich-new",
    pre=[{"reply": {"request": {"raw_body": base64.b64encode(b"new body").decode()}}}],
    post=[{"edit": {"request": {"body": "new body!"}}}],
)


@pytest.mark.parametrize("api", ["js-new", "rich-new"])
def test_new_bodies_have_their_own_length(api: str) -> None:
    site.ask(f"/{api}/x", method="POST", body=b"a body of another length")
    received = site.last(api)
    assert (received.body, received.all("Content-Length")) == (b"new body!", ["9"])


CHUNKED = (
    "POST /{api}/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n"
)


@pytest.mark.parametrize(
    ("api", "body"), [("js-noop", b"abcdefg"), ("rich-noop", b"abcdefg"), ("js-new", b"new body!")]
)
def test_chunked_requests_get_a_length(api: str, body: bytes) -> None:
    with site.client() as client:
        client.send(CHUNKED.format(api=api).encode())
        assert client.answer().status == 200
        # The connection is in step: the next request on it is understood.
        assert client.get(f"/{api}/y").status == 200
    received = site.arrived(api)[-2]
    assert received.body == body
    assert received.all("Content-Length") == [str(len(body))]
    assert received.all("Transfer-Encoding") == []
    assert received.trailers == []


site.scripts("js-empty", pre=['request.Body = "";'])
site.scripts("js-undefined", pre=["request.Body = undefined;"])
site.plugin("rich-empty", pre=[{"reply": {"request": {"raw_body": ""}}}])


@pytest.mark.parametrize("api", ["js-empty", "js-undefined", "rich-empty"])
def test_emptied_bodies(api: str) -> None:
    site.ask(f"/{api}/x", method="POST", body=b"gone")
    received = site.last(api)
    assert (received.body, received.all("Content-Length")) == (b"", ["0"])


@pytest.mark.parametrize("api", ["js-noop", "rich-noop"])
def test_requests_without_a_body_get_none(api: str) -> None:
    site.ask(f"/{api}/x")
    received = site.last(api)
    assert received.all("Content-Length") == []
    assert received.all("Transfer-Encoding") == []


@pytest.mark.parametrize("api", ["js-noop", "rich-noop", "js-append"])
def test_a_body_of_a_megabyte(api: str) -> None:
    body = bytes(range(256)) * 4096
    assert site.ask(f"/{api}/x", method="PUT", body=body).status == 200
    expected = body + "é!".encode() if api == "js-append" else body
    assert site.last(api).body == expected


@pytest.mark.parametrize("api", ["js-noop", "rich-noop"])
def test_expect_continue_is_answered_before_the_hook_runs(api: str) -> None:
    with site.client() as client:
        client.send(
            f"POST /{api}/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
            "Content-Length: 4\r\n\r\n".encode()
        )
        assert client.head().status == 100
        client.send(b"body")
        assert client.answer().status == 200
    assert site.last(api).body == b"body"


# -- the way back: the upstream sends the request's body ------------------------------------------

site.scripts("js-back", response=[""])
site.plugin("rich-back", response=[{"reply": {"response": {}}}])
site.plugin("rich-full-back", response=[{"noop": 1}])


def returned(api: str, body: bytes) -> Answer:
    return site.ask(f"/{api}/body", method="POST", body=body)


@pytest.mark.parametrize("api", ["js-back", "rich-back", "rich-full-back"])
@bounded
@given(body=st.binary(max_size=2000))
@example(body=bytes(range(256)))
@example(body=gzip.compress(b"zipped"))
def test_response_bodies_keep_their_bytes(api: str, body: bytes) -> None:
    answer = returned(api, body)
    assert (answer.status, answer.body) == (200, body)
    assert [v for name, v in answer.fields if name == "Content-Length"] == [str(len(body))]
