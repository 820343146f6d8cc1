"""Header fields in wire order, under canonical names.

Names are stored as Go spells them (`x-api-key` becomes `X-Api-Key`), which is what plugins and
upstreams of Tyk see. Look-ups therefore take the canonical name and compare bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Real traffic repeats a few hundred spellings. The bound keeps a client that invents names from
# growing the table; past it, names are computed each time.
_MAX_CACHED_NAMES = 4096
known_spellings: dict[bytes, bytes] = {}
"""Canonical names by spelling. Readers look here first: a call per field line is saved."""

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

ALWAYS_CANONICAL = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


def is_token(name: bytes) -> bool:
    """Tell whether `name` is a field name that RFC 9110, 5.1 allows."""
    return bool(name) and _TOKEN.issuperset(name)


def is_field_value(value: bytes) -> bool:
    """Tell whether `value` may stand in a header line: no CR, LF or NUL (RFC 9110, 5.5)."""
    return b"\r" not in value and b"\n" not in value and b"\0" not in value


def canonical(name: bytes) -> bytes:
    """Spell a field name as Go's `CanonicalMIMEHeaderKey` does; non-tokens stay as they are."""
    known = known_spellings.get(name)
    if known is not None:
        return known
    if not is_token(name):
        return name
    spelled = b"-".join([part.capitalize() for part in name.split(b"-")])
    if len(known_spellings) < _MAX_CACHED_NAMES:
        known_spellings[name] = spelled
    return spelled


class Headers:
    """An ordered multimap of field lines: `items` is a list of (canonical name, value) pairs.

    The arguments `name` of all methods are canonical names (`b"Content-Type"`); use `canonical`
    for a name that came from outside.
    """

    __slots__ = ("items",)

    def __init__(self, items: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.items: list[tuple[bytes, bytes]] = list(items)

    def __repr__(self) -> str:
        return f"Headers({self.items!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, name: bytes) -> bool:
        for item in self.items:  # noqa: SIM110 - any() over a generator takes twice as long
            if item[0] == name:
                return True
        return False

    def get(self, name: bytes) -> bytes | None:
        """Return the first value of `name`, or None."""
        for each, value in self.items:
            if each == name:
                return value
        return None

    def get_all(self, name: bytes) -> list[bytes]:
        return [value for each, value in self.items if each == name]

    def add(self, name: bytes, value: bytes) -> None:
        self.items.append((name, value))

    def remove(self, name: bytes) -> None:
        """Remove every line of `name`; absent names are no error."""
        if name in self:
            self.items = [item for item in self.items if item[0] != name]

    def set(self, name: bytes, value: bytes) -> None:
        """Replace every line of `name` by one, at the place of the first."""
        if name not in self:
            self.items.append((name, value))
            return
        for index, (each, _) in enumerate(self.items):
            if each == name:
                rest = [item for item in self.items[index + 1 :] if item[0] != name]
                self.items[index:] = [(name, value), *rest]
                return

    def set_all(self, fields: dict[bytes, bytes]) -> None:
        """Set several fields in one pass, so that a plugin that sets thousands costs no more."""
        if len(fields) < 4:
            for name, value in fields.items():
                self.set(name, value)
            return
        rest = dict(fields)
        items = []
        for item in self.items:
            if item[0] not in fields:
                items.append(item)
            elif item[0] in rest:
                items.append((item[0], rest.pop(item[0])))
        self.items = items + list(rest.items())

    def remove_all(self, names: frozenset[bytes]) -> None:
        """Remove every line of all these fields in one pass."""
        self.items = [item for item in self.items if item[0] not in names]

    def remove_spelling(self, name: bytes) -> None:
        """Remove every line whose name equals `name` in any case.

        For names set verbatim under `ignore_canonical_mime_header_key`.
        """
        lower = name.lower()
        self.items = [item for item in self.items if item[0].lower() != lower]

    def remove_spellings(self, names: Iterable[bytes]) -> None:
        """Remove every line whose name equals one of `names` in any case, in one pass."""
        lower = {name.lower() for name in names}
        self.items = [item for item in self.items if item[0].lower() not in lower]

    def set_spellings(self, fields: dict[bytes, bytes]) -> None:
        """Do as `set_spelling` for several fields in turn, in one pass."""
        last: dict[bytes, tuple[bytes, bytes]] = {}
        for name, value in fields.items():
            last.pop(name.lower(), None)  # a later spelling takes a later place
            last[name.lower()] = (name, value)
        self.items = [item for item in self.items if item[0].lower() not in last]
        for lower, (name, value) in last.items():
            self.items.append((canonical(name) if lower in ALWAYS_CANONICAL else name, value))

    def set_spelling(self, name: bytes, value: bytes) -> None:
        """Replace every spelling of `name` by this one, kept byte for byte.

        Fields that frame a message or belong to one connection get their canonical name: the
        writers replace them by that name, and a second spelling would contradict what they write.
        """
        self.remove_spelling(name)
        if name.lower() in ALWAYS_CANONICAL:
            name = canonical(name)
        self.items.append((name, value))
