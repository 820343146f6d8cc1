"""How soon a dead worker is replaced."""

from __future__ import annotations

from propylon.processes.respawn import RespawnPolicy


def test_first_young_death_costs_nothing_and_later_ones_double() -> None:
    policy = RespawnPolicy()
    delays = [policy.delay_after_death(0.5) for _ in range(5)]
    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8]


def test_delay_is_bounded_however_long_it_goes_on() -> None:
    policy = RespawnPolicy()
    assert max(policy.delay_after_death(0.0) for _ in range(5000)) == 30.0


def test_old_age_forgives() -> None:
    policy = RespawnPolicy()
    for _ in range(5):
        policy.delay_after_death(0.0)
    assert policy.delay_after_death(3600.0) == 0.0
    assert policy.delay_after_death(0.0) == 0.0
