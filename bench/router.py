"""CPU time of one route look-up, for growing numbers of APIs: `python bench/router.py`.

The claim to check: the look-up does not grow with the number of APIs. Compare the columns of one
run with each other; absolute numbers depend on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.pipeline.router import Router
from propylon.pipeline.router_build import Route, build_router

COUNTS = (1, 10, 100, 2000)
LOOK_UPS = 20_000
ROUNDS = 5


def make_router(
    count: int, listen_path: Callable[[int], str], domain: Callable[[int], str]
) -> Router[int]:
    routes = [
        Route(
            msgspec.convert(
                {
                    "api_id": f"{number:032x}",
                    "domain": domain(number),
                    "proxy": {"listen_path": listen_path(number)},
                },
                ApiDefinition,
            ),
            number,
        )
        for number in range(count)
    ]
    return build_router(routes, Config(enable_custom_domains=True))


def nanoseconds_per_look_up(router: Router[int], host: str, path: str) -> float:
    find = router.find
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(LOOK_UPS):
            find(host, path)
        best = min(best, time.process_time_ns() - start)
    return best / LOOK_UPS


def no_domain(number: int) -> str:
    return ""


SHAPES: tuple[tuple[str, Callable[[int], str], Callable[[int], str], str, str], ...] = (
    ("/api-N/, hit", lambda n: f"/api-{n}/", no_domain, "gw.test", "/api-{last}/users/7"),
    ("/api-N, hit", lambda n: f"/api-{n}", no_domain, "gw.test", "/api-{last}/users/7"),
    ("/v1/team/api-N/, hit", lambda n: f"/v1/team/api-{n}/", no_domain, "gw.test",
     "/v1/team/api-{last}/users/7"),
    ("/api-N/, miss", lambda n: f"/api-{n}/", no_domain, "gw.test", "/nothing/here/at/all"),
    ("own domain, hit", lambda n: "/", lambda n: f"h{n}.test", "h{last}.test", "/users/7"),
    ("own domain pattern, hit", lambda n: "/", lambda n: f"{{x:[a-z]+}}.h{n}.test",
     "a.h{last}.test", "/users/7"),
)  # fmt: skip


def main() -> None:
    print(f"{'ns per look-up':28}" + "".join(f"{count:>9}" for count in COUNTS))
    for label, listen_path, domain, host, path in SHAPES:
        cells = []
        for count in COUNTS:
            router = make_router(count, listen_path, domain)
            last = count - 1
            cells.append(
                nanoseconds_per_look_up(router, host.format(last=last), path.format(last=last))
            )
        print(f"{label:28}" + "".join(f"{cell:9.0f}" for cell in cells))


if __name__ == "__main__":
    main()
