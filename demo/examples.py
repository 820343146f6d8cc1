"""What to try in the demo: command lines, what each is about and what its output shows.

A test runs every line as it is printed and looks for what it promises.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    about: str
    command: str
    shows: str
    "A piece of the output."


def examples(gateway: str) -> tuple[Example, ...]:
    """Return the command lines for the gateway at the URL `gateway` (without a slash)."""
    token = "-H 'Authorization: let-me-in'"  # noqa: S105 - the demo's, printed for everybody
    return (
        Example(
            "A plain proxy: the upstream says what it was asked. The listen path is gone.",
            f"curl -i '{gateway}/plain/items?page=2'",
            '"path": "/items?page=2"',
        ),
        Example(
            "A path that the API definition forbids (apps/plain.json, black_list).",
            f"curl -i '{gateway}/plain/secret'",
            "HTTP/1.1 403 Forbidden",
        ),
        Example(
            "A JavaScript hook adds a header (middleware/greet.js).",
            f"curl -i '{gateway}/javascript/items'",
            '"X-Greeting": "hello from JavaScript"',
        ),
        Example(
            "The same hook sends one path to another.",
            f"curl -i '{gateway}/javascript/old'",
            '"path": "/new"',
        ),
        Example(
            "A JavaScript hook answers by itself (middleware/guard.js).",
            f"curl -i '{gateway}/javascript/time'",
            '"answered_by":"guard.js"',
        ),
        Example(
            "It can refuse, too: the error page is the gateway's, the words are the hook's.",
            f"curl -i '{gateway}/javascript/items?drop=1'",
            "guard.js says no",
        ),
        Example(
            "A Python program over stdio checks tokens (plugins/plugin.py). No token, no entry.",
            f"curl -i '{gateway}/python/items'",
            "plugin.py does not know this token",
        ),
        Example(
            "With a token the plugin tells the upstream who calls.",
            f"curl -i {token} '{gateway}/python/items'",
            '"X-Caller": "alice"',
        ),
        Example(
            "Its response hook masks mail addresses in what the upstream answers.",
            f"curl -i {token} '{gateway}/python/user'",
            '"email": "***@example.org"',
        ),
        Example(
            "No API listens here.",
            f"curl -i '{gateway}/nowhere'",
            "HTTP/1.1 404 Not Found",
        ),
        Example(
            "How the gateway is: APIs, plugins, the last reload.",
            f"curl -i '{gateway}/hello'",
            '"status":"pass"',
        ),
    )
