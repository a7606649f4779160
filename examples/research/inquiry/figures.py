"""What a question asks to compute from a table, for what groups of rows, and in what order."""

from __future__ import annotations

from dataclasses import dataclass

from inquiry import markdown
from inquiry.known import Column, Kind
from inquiry.mentions import Mention
from inquiry.phrases import GRAINS, Computing, groupings, wanted_place
from inquiry.query import MOST_GROUPS, Figure, Function, Group, Order
from inquiry.sentence import Sentence

_BEST = 5
"""Lines of a "which has the most": the one asked for, and those it stands out from."""
_AND = frozenset({"and", "or"})
_DIFFERENT = frozenset({"different", "distinct", "unique"})


@dataclass(frozen=True, slots=True)
class Computed:
    """The part of a query that says what to compute."""

    figures: tuple[Figure, ...] = ()
    groups: tuple[Group, ...] = ()
    order: Order | None = None
    limit: int = MOST_GROUPS
    notes: tuple[str, ...] = ()


def read_groups(sentence: Sentence) -> tuple[Group, ...]:
    """What there is to be one line for: "per city and month", "monthly"."""
    found: list[Group] = []
    for marker in groupings(sentence.words):
        found += _groups_from(sentence, sentence.next_place(marker.end))
    for place, word in enumerate(sentence.words):
        if word.key.endswith("ly") and (grain := _grain(sentence, place)):
            found.append(grain)
    return tuple(dict.fromkeys(found))


def read_figures(sentence: Sentence, groups: tuple[Group, ...]) -> Computed | None:
    """What is computed; None when it is not known from which column."""
    superlative = next((one for one in sentence.computing if one.superlative), None)
    entity = None if groups else _entity(sentence)
    groups = groups or ((Group(entity.column),) if entity else ())
    notes: list[str] = []
    figures: list[Figure] = []
    for one in sentence.computing:
        if not one.superlative:
            figure = _figure(sentence, one, groups, notes)
            if figure is None:
                return None
            figures.append(figure)
    if superlative is None:
        made = tuple(dict.fromkeys(figures)) or _totals(sentence)
        return Computed(made, groups, notes=tuple(notes))
    if not groups:
        return _greatest_rows(sentence, superlative)
    figure = figures[0] if figures else _ranking(sentence, superlative, groups, notes)
    if figure is None:
        return None
    limit = _wanted(sentence, superlative) or (_BEST if entity else MOST_GROUPS)
    order = Order(figure, superlative.function is Function.MOST)
    return Computed(tuple(dict.fromkeys([figure, *figures])), groups, order, limit, tuple(notes))


def _groups_from(sentence: Sentence, place: int) -> list[Group]:
    found: list[Group] = []
    while place < len(sentence.words):
        mention, grain = sentence.mention_at(place), _grain(sentence, place)
        if mention is not None and _groupable(mention.column):
            found.append(Group(mention.column))
            place = mention.end
        elif grain is not None:
            found.append(grain)
            place += 1
        elif sentence.words[place].key in _AND:
            place += 1
        else:
            break
    return found


def _groupable(column: Column) -> bool:
    """Whether one line for each of its values makes sense: not of a measured number."""
    return column.kind is not Kind.NUMBER or column.is_key


def _grain(sentence: Sentence, place: int) -> Group | None:
    grain = GRAINS.get(sentence.words[place].key)
    if grain is None or sentence.mention_at(place) is not None:
        return None
    column = sentence.time_column()
    return None if column is None else Group(column, grain)


def _entity(sentence: Sentence) -> Mention | None:
    """The column that is asked for: "which customer …", "the top 5 customers", "the city with the highest …"."""
    starts = [place + 1 for place, word in enumerate(sentence.words) if word.key in ("which", "what", "whose")]
    starts += [one.end for one in sentence.computing if one.superlative]
    for start in starts:
        place = sentence.next_place(start)
        while place < len(sentence.words) and sentence.words[place].number is not None:
            place += 1
        mention = sentence.mention_at(place)
        if mention is not None and mention.column.kind is not Kind.TIME and _groupable(mention.column):
            return mention
    return None


def _figure(sentence: Sentence, one: Computing, groups: tuple[Group, ...], notes: list[str]) -> Figure | None:
    if one.function is Function.COUNT:
        return _counted(sentence, one, groups)
    column = _measured(sentence, one, notes, _columns(groups))
    return None if column is None else Figure(one.function, column)


def _counted(sentence: Sentence, one: Computing, groups: tuple[Group, ...]) -> Figure:
    """How many: rows when the table is named, else different values; of a column of numbers their sum."""
    place = sentence.next_place(one.end)
    different = place < len(sentence.words) and sentence.words[place].key in _DIFFERENT
    place = sentence.next_place(place + different)
    mention = sentence.mention_at(place)
    if mention is None or (place in sentence.named and not different) or mention.column in _columns(groups):
        return Figure(Function.COUNT)
    if not _groupable(mention.column) and not different:
        return Figure(Function.SUM, mention.column)
    return Figure(Function.DISTINCT, mention.column)


def _totals(sentence: Sentence) -> tuple[Figure, ...]:
    """What "revenue per month" is about: the total of each number that is named, else how many there are."""
    named = [one.column for one in sentence.mentions if not _groupable(one.column)]
    return tuple(Figure(Function.SUM, column) for column in dict.fromkeys(named)) or (Figure(Function.COUNT),)


def _greatest_rows(sentence: Sentence, superlative: Computing) -> Computed | None:
    """The rows with the highest, or the latest."""
    notes: list[str] = []
    column = sentence.time_column() if superlative.of_time else _measured(sentence, superlative, notes)
    if column is None:
        return None
    order = Order(column, superlative.function is Function.MOST)
    return Computed(order=order, limit=_wanted(sentence, superlative) or _BEST, notes=tuple(notes))


def _ranking(sentence: Sentence, superlative: Computing, groups: tuple[Group, ...], notes: list[str]) -> Figure | None:
    """What groups are ranked by: "the most orders" by their number, "paid most" by the sum, "the highest" by it."""
    column = sentence.number_near(superlative.end, _columns(groups))
    if superlative.of_how_many:
        return Figure(Function.COUNT) if column is None else Figure(Function.SUM, column)
    if column is None and superlative.of_time:
        column = sentence.time_column()
    column = column or _measured(sentence, superlative, notes, _columns(groups))
    return None if column is None else Figure(superlative.function, column)


def _measured(
    sentence: Sentence, one: Computing, notes: list[str], taken: frozenset[Column] = frozenset()
) -> Column | None:
    """The column that is measured: the number named next to the words, or the only one there is."""
    column = sentence.number_near(one.end, taken)
    if column is not None:
        return column
    possible = [column for column in sentence.table.columns if not _groupable(column)]
    if len(possible) != 1:
        return None
    only = f"the only number in {markdown.code(sentence.table.name)}"
    notes.append(f"{markdown.code(possible[0].name)} was taken, {only}")
    return possible[0]


def _columns(groups: tuple[Group, ...]) -> frozenset[Column]:
    return frozenset(group.column for group in groups)


def _wanted(sentence: Sentence, superlative: Computing) -> int | None:
    place = wanted_place(sentence.words, superlative)
    return None if place is None else int(sentence.words[place].number or 0)
