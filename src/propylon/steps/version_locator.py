"""Which version a request asks for, and taking that mark off the request: gateway-core 3.4.

Classic style only: `definition.location` is a header, a query parameter or a URL segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.errors import DefinitionError
from propylon.http.headers import canonical
from propylon.http.message import Request
from propylon.pipeline.listen_path import ListenPath
from propylon.pipeline.query import first_value, with_query, without

_DEFAULT_KEY = "x-api-version"


@dataclass(frozen=True, slots=True)
class VersionLocator:
    """How one API reads its version.

    `location` is `header`, `url-param`, `url`, or empty when requests cannot name one.
    """

    location: str
    key: str
    header: bytes
    strips: bool
    segment_pattern: re.Pattern[str] | None
    listen_path: ListenPath
    slug: str

    def take(self, request: Request) -> str:
        """Return the version asked for, or an empty string; strip it where so configured."""
        if self.location == "header":
            return self._take_header(request)
        if self.location == "url-param":
            return self._take_parameter(request)
        if self.location == "url":
            return self._take_segment(request)
        return ""

    def _take_header(self, request: Request) -> str:
        value = request.headers.get(self.header)
        if value is None:
            return ""
        if self.strips:
            request.headers.remove(self.header)
        return value.decode("utf-8", "surrogateescape")

    def _take_parameter(self, request: Request) -> str:
        query = request.query
        value = first_value(query, self.key)
        if value and self.strips:
            request.url = with_query(request.url, without(query, self.key))
        return value or ""

    def _take_segment(self, request: Request) -> str:
        path = request.path
        start = len(path) - len(self.listen_path.strip(path).lstrip("/"))
        slug = f"{self.slug}/"
        if self.slug and (path[start:] + "/").startswith(slug):
            start = min(start + len(slug), len(path))
        while path[start : start + 1] == "/":
            start += 1
        segment, slash, rest = path[start:].partition("/")
        # The segment goes at its own place; the first occurrence of the same text may be
        # a part of the listen path.
        if self.strips and slash and self._is_version(segment):
            request.url = path[:start] + rest + request.url[len(path) :]
        return segment

    def _is_version(self, segment: str) -> bool:
        return self.segment_pattern is None or self.segment_pattern.search(segment) is not None


def build_locator(definition: ApiDefinition) -> VersionLocator:
    """Raises `DefinitionError` for a location or pattern that cannot work."""
    locator = definition.definition
    if locator.location not in ("", "header", "url-param", "url"):
        raise DefinitionError(
            f"{locator.location!r}: expected header, url-param or url",
            path="$.definition.location",
        )
    pattern = None
    if locator.url_versioning_pattern:
        try:
            pattern = re.compile(locator.url_versioning_pattern, re.ASCII)
        except re.error as error:
            raise DefinitionError(
                f"{locator.url_versioning_pattern!r} is no regular expression: {error}",
                path="$.definition.url_versioning_pattern",
            ) from error
    key = locator.key or _DEFAULT_KEY
    return VersionLocator(
        location=locator.location,
        key=key,
        header=canonical(key.encode("utf-8")),
        strips=locator.strip_path or locator.strip_versioning_data,
        segment_pattern=pattern,
        listen_path=ListenPath.compile(definition.proxy.listen_path),
        slug=definition.slug.strip("/"),
    )
