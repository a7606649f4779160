"""A question read for one table: the query it stands for, and the words that may be values in its rows.

Nothing is guessed in silence: where a column was taken for a word that does not name it, the query carries a note. What
cannot be read gives no query.
"""

from __future__ import annotations

from collections.abc import Sequence

from inquiry.conditions import Conditions, read_conditions
from inquiry.figures import read_figures, read_groups
from inquiry.known import Table
from inquiry.query import MOST_ROWS, Query
from inquiry.sentence import Sentence, beside
from inquiry.wish import Wish
from inquiry.words import Word


def read(words: Sequence[Word], table: Table) -> Wish | None:
    """What a question asks of a table; None when it asks nothing of it."""
    sentence = beside(words, table)
    if not sentence.mentions and not sentence.named:
        return None
    conditions = read_conditions(words, table, sentence.mentions, sentence.named)
    groups = read_groups(sentence)
    if not sentence.computing and not groups:
        return _lookup(sentence, conditions)
    computed = read_figures(sentence, groups)
    if computed is None:
        return None
    query = Query(
        table,
        computed.figures,
        computed.groups,
        conditions.filters,
        sentence.shown(),
        computed.order,
        computed.limit,
        (*computed.notes, *sentence.assumed()),
    )
    return _wish(sentence, query, conditions, needs_value=bool(not sentence.sure and conditions.values))


def _lookup(sentence: Sentence, conditions: Conditions) -> Wish:
    """The rows that a question is about; all of them only when it asks for nothing but the table."""
    notes = tuple(sentence.assumed())
    query = Query(sentence.table, filters=conditions.filters, shown=sentence.shown(), limit=MOST_ROWS, notes=notes)
    whole = bool(sentence.named) and not conditions.values
    return _wish(sentence, query, conditions, needs_value=not (whole or conditions.filters))


def _wish(sentence: Sentence, query: Query, conditions: Conditions, *, needs_value: bool) -> Wish:
    return Wish(
        query=query,
        values=conditions.values,
        required=conditions.required,
        valuable=conditions.valuable,
        sure=sentence.sure,
        needs_value=needs_value,
        fit=sentence.fit,
    )
