from agentic_atlas.protocol.schemas import words
from agentic_atlas.protocol.schemas.words import Unknown


def test_a_mistyped_name_is_told_once_with_the_nearest() -> None:
    told = words.of_names([Unknown("", "nam", ["name"])], [("", "name")], "greet")
    assert told == [("", "there is no nam; greet takes name (did you mean name?)")]


def test_a_name_within_is_told_of_the_place_and_one_that_is_like_none_without_a_guess() -> None:
    told = words.of_names([Unknown("/person", "x", ["name", "age"])], [("/person", "name"), ("", "n")], "greet")
    assert told == [
        ("/person", "there is no x; it takes name, age"),
        ("/person", "name is missing"),
        ("", "n is missing"),
    ]


def test_nothing_is_said_of_names_that_are_not_known() -> None:
    assert words.of_names([Unknown("/a", "b", None)], [], "greet") == [("/a", "there is no b")]


def test_the_name_that_may_have_been_meant_is_asked_for() -> None:
    assert words.meant("prise", ["price", "total"]) == " (did you mean price?)"
    assert words.meant("x", ["price", "total"]) == ""


def test_of_what_takes_nothing_that_is_said() -> None:
    assert words.of_names([Unknown("", "b", [])], [], "greet") == [("", "there is no b; greet takes nothing")]


def test_long_names_and_many_of_them_are_cut() -> None:
    names = [f"name_{number}" for number in range(50)]
    ((_, message),) = words.of_names([Unknown("", "n" * 500, names)], [], "greet")
    assert len(message) < 400
    assert message.endswith("name_19 and 30 more")


def test_a_sentence_holds_some_faults_and_counts_the_rest() -> None:
    faults = [("", "a is missing"), *((f"/{number}", "no") for number in range(9))]
    assert words.sentence(faults) == "a is missing; /0: no; /1: no; /2: no; /3: no; and 5 more"
    assert words.sentence([]) == ""


def test_a_name_is_compared_with_long_names_only_for_as_long_as_nobody_waits_for_it() -> None:
    usual = [f"parameter_{number}" for number in range(99)]
    assert words.meant("prise", [*usual, "price"]) == " (did you mean price?)"
    few = ["z" * 60] * 7
    assert words.meant("a" * 59 + "b", [*few, "a" * 60]) == f" (did you mean {'a' * 60}?)"
    assert words.meant("a" * 59 + "b", [*few, *few, "a" * 60]) == ""
