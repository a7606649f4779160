"""The whole way from a question to a report, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from inquiry.answers import Found, answers, look
from inquiry.ask import Asker
from inquiry.citations import Citations
from inquiry.closing import Course, looked_section, undone, undone_section
from inquiry.compose import Report, Section, answer_section, sources_section, whole
from inquiry.plan import Agents, Plan, Scope, ToldPlan, make_plan, tell


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question, who may be asked, and how they are called."""

    question: str
    scope: Scope
    agents: Agents
    asker: Asker

    async def plan(self) -> ToldPlan:
        """What would be asked of whom; only what they have is asked."""
        looked = await look(self.asker, self.agents, self.scope)
        plan = make_plan(self.question, self.scope, looked.known)
        course = Course(self.agents, self.scope, looked, plan, (), self.asker.asked)
        return tell(plan, self.agents, [line.removeprefix("- ") for line in undone(course)])

    async def pieces(self) -> AsyncGenerator[Section | Report, None]:
        """The sections of the report, each as soon as it is there, then the whole."""
        looked = await look(self.asker, self.agents, self.scope)
        plan: Plan = make_plan(self.question, self.scope, looked.known)
        citations = Citations()
        sections: list[Section] = []
        found: list[Found] = []
        async with aclosing(answers(self.asker, self.agents, plan.parts)) as answered:
            async for one in answered:
                found.append(one)
                sections.append(answer_section(len(found), one, self.agents, citations))
                yield sections[-1]
        course = Course(self.agents, self.scope, looked, plan, found, self.asker.asked)
        for section in (looked_section(course), undone_section(course), sources_section(citations)):
            sections.append(section)
            yield section
        yield whole(self.question, sections, citations)
