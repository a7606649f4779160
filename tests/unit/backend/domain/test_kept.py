from agentic_atlas.backend.domain.kept import Kept


def test_what_was_not_used_for_longest_goes_when_there_are_too_many_bytes() -> None:
    kept: Kept[str, int] = Kept(100)
    kept.keep("a", 1, 40)
    kept.keep("b", 2, 40)
    assert kept.get("a") == 1
    kept.keep("c", 3, 40)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    assert kept.bytes == 80


def test_the_same_again_takes_the_place_of_the_old() -> None:
    kept: Kept[str, int] = Kept(100)
    kept.keep("a", 1, 90)
    assert kept.keep("a", 2, 30) == 2
    assert kept.bytes == 30
    kept.forget("a")
    kept.forget("a")
    assert (kept.get("a"), kept.bytes) == (None, 0)


def test_one_that_is_larger_than_all_room_is_not_kept() -> None:
    kept: Kept[str, int] = Kept(100)
    kept.keep("a", 1, 10)
    assert kept.keep("b", 2, 1_000) == 2
    assert (kept.get("a"), kept.get("b"), kept.bytes) == (None, None, 0)


def test_what_is_cleared_leaves_room() -> None:
    kept: Kept[str, int] = Kept(100)
    kept.keep("a", 1, 60)
    kept.clear()
    kept.keep("b", 2, 60)
    assert (kept.get("a"), kept.get("b"), len(kept)) == (None, 2, 1)
