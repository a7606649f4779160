"""Which part of a page is made by what, and how a page is brought up to date."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tests.docs.reference import codes, commands, http, life, limits, logs, python, series, settings, transcript, wire

PARTS: Final[dict[str, Callable[[], str]]] = {
    "connection diagram": wire.connection_diagram,
    "forms": wire.named_types,
    "messages": wire.message_list,
    "message details": wire.message_details,
    "message parts": wire.part_details,
    "limits": wire.limits,
    "close codes": wire.close_codes,
    "close reasons": wire.close_reasons,
    "transcript": transcript.transcript,
    "task diagram": life.task_diagram,
    "task triggers": life.triggers,
    "final states": life.final_states,
    "task error codes": codes.of_tasks,
    "error tree": codes.tree,
    "error classes": codes.by_class,
    "error codes": codes.by_place,
    "HTTP statuses": codes.statuses,
    "operations": http.list_of_operations,
    "operation details": http.details_of_operations,
    "HTTP shapes": http.shapes,
    "Python names": python.list_of_names,
    "Python details": python.details_of_names,
    "Python answers": python.details_of_answers,
    "Python testing": python.details_of_testing,
    "skill options": python.skill_options,
    "commands": commands.list_of_commands,
    "command details": commands.details_of_commands,
    "server settings": settings.server_settings,
    "log lines": logs.lines,
    "log fields": logs.fields,
    "log ids": logs.ids,
    "limits of parts": limits.of_structs,
    "limits by place": limits.of_constants,
    "series": series.of_a_network,
    "series with names": series.with_names,
}
_MADE = re.compile(r"(?P<begin><!-- made from the code: (?P<name>[^>]+?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def names_in(text: str) -> list[str]:
    """Return the names of the parts a page has."""
    return [match["name"] for match in _MADE.finditer(text)]


def renewed(text: str) -> str:
    """Return a page with its parts as they are now."""
    return _MADE.sub(lambda match: f"{match['begin']}\n{PARTS[match['name']]()}\n\n{match['end']}", text)
