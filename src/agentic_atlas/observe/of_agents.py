"""What an agent's own log says; the lines that its skills log are its author's, and none of these."""

from typing import Final

from agentic_atlas.observe.declared import LogEvent, declared

AGENT: Final[list[LogEvent]] = [
    *declared(
        "debug",
        ("task_refused", "A task was given back, for the agent can't run it now: `reason` says why.", "reason skill"),
    ),
    *declared(
        "info",
        ("connected", "The router has let the agent in, for the first time or again.", "message"),
        ("ready", "The agent takes tasks from now on.", "name skills", "ready as {name} (instance {instance})"),
        ("stopping", "The agent was told to stop, and takes no more tasks.", "message running seconds"),
        ("takes_tasks", "What was told by `takes_no_tasks` is over.", "", "takes new tasks again"),
        ("stopped", "The agent has ended."),
        ("task_received", "A task was given to this process.", "skill", "task received"),
        ("task_completed", "A skill has returned, and its output is on the way.", "skill took", "task completed"),
        (
            "task_ended",
            "A task has ended in another way than with an output, and the agent is not to blame: it was canceled, took "
            "too long, or was refused by the skill.",
            "skill took outcome code",
            "task {outcome}",
        ),
        (
            "task_dropped",
            "The task is another process's now, and is stopped here.",
            "skill",
            "task dropped: it is not this process's any more",
        ),
        (
            "token_got",
            "The router has given the agent another token for the one that would have ended.",
            "until",
            "the token was renewed, and is good until {until}",
        ),
        (
            "token_replaced",
            "Somebody has made another token in the place of this one.",
            "until",
            "another token was made in the place of this one, which ends {until}",
        ),
        ("token_taken", "The agent connects again, with the token that was made in the place of this one.", "message"),
        (
            "token_refused",
            "The router wants this token no more, and another one has come in its place.",
            "why",
            "{why}: going on with the one that came in its place",
        ),
        ("token_noted", "Which token is used, where there are several.", "message"),
        ("spool_working", "What was told by `spool_failing` is over.", "", "results are kept on disk again"),
        (
            "results_found",
            "Results that earlier processes could not deliver; they are now.",
            "count",
            "results of earlier processes: {count}; to be delivered",
        ),
    ),
    *declared(
        "warning",
        ("not_connected", "There is no connection, or it was lost; the agent tries again.", "message"),
        ("kept_out", "The router does not let the agent in until somebody does what is said.", "message"),
        ("loop_blocked", "Handlers hold up the loop they share: `async def` must not wait without `await`.", "message"),
        (
            "takes_no_tasks",
            "A limit of the agent's own is reached, and it takes nothing new; what runs goes on.",
            "why",
            "takes no new tasks for now: {why}",
        ),
        ("setting_doubtful", "A setting works, and should be changed.", "message"),
        ("token_ends", "The token ends, and nothing is known to come after it.", "message"),
        (
            "renewal_refused",
            "The agent gets no other token by itself: make one before this one ends.",
            "why",
            "the token is not renewed: {why}",
        ),
        (
            "renewal_delayed",
            "Another token could not be had yet.",
            "why",
            "the token could not be renewed yet: {why}; trying again",
        ),
        (
            "token_unencrypted",
            "Whoever is on the way can read the token.",
            "url",
            "the token travels unencrypted to {url}: use wss:// for a router elsewhere",
        ),
        (
            "skill_goes_on",
            "A skill was told to stop and does not; a thread can't be ended from outside.",
            "skill grace",
            "a skill does not stop: its slot stays taken until it returns",
        ),
        (
            "skills_left",
            "The agent ends, and these go on until the process does; their tasks are delivered again.",
            "skills",
            "the agent ends while skills still run",
        ),
        (
            "spool_failing",
            "The folder for results can't be used.",
            "why fix",
            "results are kept in memory only, and end with this process: {why}; {fix}",
        ),
        (
            "log_file_failing",
            "The file of the agent's log can't be written; nothing more is, and the network is told as ever.",
            "why",
            "the log is kept in no file: {why}",
        ),
        (
            "results_too_old",
            "Results of earlier processes that nobody waits for any more.",
            "count days",
            "results of earlier processes older than {days} days: {count}; dropped",
        ),
        (
            "results_too_many",
            "Results of earlier processes for which there was no room.",
            "count",
            "results of earlier processes over the bounds: {count}; dropped",
        ),
        (
            "results_kept",
            "The agent ended before the router had these.",
            "count",
            "results not acknowledged: {count}; kept on disk, for the next start to deliver",
        ),
        (
            "results_lost",
            "The agent ended before the router had these, and they are nowhere else.",
            "count",
            "results not acknowledged: {count}; lost with this process",
        ),
    ),
    *declared(
        "error",
        ("task_failed", "A skill has raised an error.", "skill took code error", "task failed"),
        (
            "fault",
            "A fault of ours; the agent goes on where it can.",
            "what",
            "a fault of agentic-atlas itself; please report it",
        ),
    ),
]
