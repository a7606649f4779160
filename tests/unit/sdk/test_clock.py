from agentic_atlas.sdk.clock import ServerClock


def test_the_servers_time_goes_on_with_the_monotonic_clock() -> None:
    ticks = iter([100.0, 103.5, 200.0, 201.0])
    clock = ServerClock(lambda: next(ticks))
    clock.set(1_700_000_000.0)
    assert clock.now() == 1_700_000_003.5
    clock.set(5.0)
    assert clock.now() == 6.0
