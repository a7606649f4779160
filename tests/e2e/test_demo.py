from pathlib import Path

import psutil

from agentic_atlas import Client
from agentic_atlas.cli.demo.trace import tree
from agentic_atlas.cli.demo.workflow import workflow
from tests.e2e.processes import Platform, Process, connected, python
from tests.e2e.programs import ECHO

STEPS = ["connect", "validate", "register", "submit", "dispatch", "deliver", "result", "forward"]


def demo(platform: Platform, *arguments: str) -> Process:
    environ = {name: value for name, value in platform.environ.items() if not name.startswith("ATLAS_")}
    environ["TMPDIR"] = str(platform.folder)
    return Process(*python("-m", "agentic_atlas", "demo", *arguments), folder=platform.folder, environ=environ)


def test_the_demo_tells_the_workflow_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = demo(Platform(tmp_path / "home"), "--once")
    try:
        assert run.wait(120) == 0, run.output
    finally:
        run.kill()
    told = run.output[run.output.index("What happened") : run.output.index("\n> ")]
    assert [line.split()[2] for line in told.splitlines()[1:] if line.strip()] == STEPS
    tree_told = run.output[run.output.index("Who called whom") :]
    for call in ("research.report", "document_search.search", "table_query.query", "system_report.health"):
        assert call in tree_told
    assert "failed" not in tree_told
    assert list((tmp_path / "home").glob("atlas-demo-*")) == []


def test_the_demo_answers_from_a_folder_of_ones_own_and_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "harvest_plan.md").write_text("# Harvest\n\nThe quinces are picked in the second week of October.\n")
    run = demo(Platform(tmp_path / "home"), "--once", str(documents))
    try:
        assert run.wait(120) == 0, run.output
    finally:
        run.kill()
    assert "harvest_plan.md, line" in run.output
    assert "quinces" in run.output


def test_ctrl_c_in_the_middle_of_the_demo_leaves_no_process(tmp_path: Path) -> None:
    run = demo(Platform(tmp_path / "home"))
    try:
        run.wait_for("What happened", 120)
        children = psutil.Process(run.pid).children(recursive=True)
        assert len(children) >= 5
        psutil.Process(run.pid).send_signal(2)
        run.wait(60)
        _, alive = psutil.wait_procs(children, timeout=20)
        assert alive == []
    finally:
        run.kill()


def test_the_printed_steps_are_the_stored_events(platform: Platform, client: Client) -> None:
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "say", text="hello")
        task.result(30)
        events = list(task.events())
        steps = workflow(client.agents.get("echo"), task.info, events)
    assert [name for _, name, _ in steps] == STEPS
    numbers = {name: text for _, name, text in steps}
    states = [event for event in events if event.kind == "state"]
    assert [event.at for event in states] == [
        at for at, name, _ in steps if name in ("submit", "dispatch", "deliver", "forward")
    ]
    for event, name in zip(states, ("submit", "dispatch", "deliver", "forward"), strict=True):
        assert f"(event {event.seq})" in numbers[name]


def test_a_trace_is_drawn_as_a_tree_without_losing_a_task(platform: Platform, client: Client) -> None:
    calling = ECHO.replace(
        "if __name__",
        """from agentic_atlas import Context

@agent.skill
async def twice(ctx: Context, text: str) -> str:
    return await ctx.call("echo", "say", text=text) + await ctx.call("echo", "say", text=text)

if __name__""",
    )
    with platform.agent("echo", calling) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "twice", text="ho")
        assert task.result(30) == "hoho"
        branches = tree(client.tasks.list(trace=task.info.trace_id))
    assert [(lines, task.skill) for lines, task in branches] == [("", "twice"), ("├─ ", "say"), ("└─ ", "say")]
    assert all(task.ended_at is not None for _, task in branches)
