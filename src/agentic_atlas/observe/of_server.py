"""What the log of a network says: its router, its backend, and the process around them."""

from typing import Final

from agentic_atlas.observe.declared import LogEvent, declared

ROUTER: Final[list[LogEvent]] = [
    *declared(
        "trace",
        ("token_verified", "A token is good, and its connection was taken; `token` is its id.", "token address"),
    ),
    *declared(
        "info",
        (
            "agent_connected",
            "An instance was let in. It kept `kept` of its attempts, and was told of `sent_again` again.",
            "generation kept sent_again",
        ),
        ("connection_ended", "A connection of an agent is over, be it closed here or gone.", "code reason"),
        ("handshake_refused", "Somebody was not let in: `code` says why.", "code address"),
        ("token_renewed", "A connection has another token, which its agent asked for."),
        ("token_not_renewed", "A connection asked for another token, and there is none for it.", "code"),
    ),
    *declared(
        "warning",
        (
            "token_in_use",
            "A second instance came with a token that another one is connected with, and was turned away. Give each "
            "instance a token of its own.",
        ),
        (
            "attempt_lost",
            "The instance that had the attempt has been away for too long. The task's own rules say whether there is "
            "another attempt.",
            "why",
        ),
        ("loss_not_stored", "The loss of an attempt could not be stored; it is tried again.", "code"),
        ("registration_not_stored", "An instance was let in and could not be stored as such; it comes back.", "code"),
        ("reports_not_stored", "The router stopped before all reports were stored. Agents say them again."),
        (
            "connections_left",
            "Connections were still open when the listener stopped, and were cut off.",
            "count",
        ),
        (
            "descriptors_used_up",
            "No more files can be opened, so a connection that has not said who it is made room for a new one.",
            "connections strangers newest fix",
        ),
    ),
    *declared(
        "error",
        ("connection_failed", "A fault of ours with one connection, which ends; please report it."),
        ("handshake_failed", "A fault of ours with somebody who wanted to connect; please report it.", "address"),
    ),
]

BACKEND: Final[list[LogEvent]] = [
    *declared(
        "warning",
        (
            "refused",
            "Somebody was refused something, and it is the network's operator who can change that.",
            "action code why",
        ),
        (
            "agent_logs_not_kept",
            "Lines of agents' logs can't be kept now: agents send them again, and drop and count what is too much.",
            "code reason",
        ),
        ("agent_logs_kept_again", "Lines of agents' logs are kept again, which they were not (`code`).", "code"),
        ("audit_not_written", "Rows of the audit log could not be written; they are when the disk is back.", "rows"),
        ("departure_not_stored", "That an instance left could not be stored: it shows as connected meanwhile.", "code"),
        ("clock_jumped", "The clock was set, or this machine has slept: nobody is blamed for so long.", "seconds"),
    ),
    *declared(
        "error",
        (
            "invariant_violated",
            "Something is as it must not be, and is set right where it can be (page Health).",
            "invariant subject",
        ),
        ("audit_rows_lost", "A fault of ours: rows of the audit log can't be written. The log says how many.", "rows"),
        ("audit_broken", "The audit log is not what this network wrote: somebody changed the file.", "why"),
        ("audit_head_not_kept", "The head of the audit log could not be written to its file.", "reason"),
        ("agent_logs_failed", "A fault of ours with lines of agents' logs; they say them again."),
        ("admission_failed", "A fault of ours with an instance that wanted to come in; please report it."),
        ("renewal_failed", "A fault of ours with a token that was to be renewed; please report it."),
        ("departure_failed", "A fault of ours with an instance that left; please report it."),
        ("loss_failed", "A fault of ours with an attempt that was lost; it is tried again."),
        ("call_failed", "A fault of ours with what an agent called; its call fails.", "call"),
        ("claim_failed", "A fault of ours with an agent's waiting tasks; it is tried again."),
        ("alarm_failed", "A fault of ours with a deadline of a task; it is tried again."),
        ("shift_failed", "A fault of ours: the deadlines could not be moved by what the clock jumped.", "seconds"),
        ("end_failed", "A fault of ours with the end of a task; it is tried again."),
        ("cancel_failed", "A fault of ours with what an ended task had called; it is tried again."),
        ("cut_not_told", "A fault of ours: a task's timeline does not tell of a lost connection."),
    ),
]

PROCESS: Final[list[LogEvent]] = [
    *declared(
        "trace",
        ("request_came", "Somebody asks for something.", "method path"),
        (
            "request_answered",
            "A request was answered; `task` is the one that it has made or is about.",
            "method path status took",
        ),
    ),
    *declared("debug", ("store_noted", "What the store wants to be known of itself.", "message")),
    *declared(
        "info",
        ("certificate_read_again", "The certificate's file has changed, and is shown from now on.", "names expires_at"),
        ("public_address_reached", "A public address that led nowhere leads here now.", "setting address"),
    ),
    *declared(
        "warning",
        ("exposed", "Other machines can send secrets to this network unencrypted.", "message"),
        ("certificate_expires", "The certificate ends soon: put a new one in its place.", "at files"),
        (
            "public_address_unreachable",
            "A public address does not lead here, so nobody comes that way.",
            "setting address why",
        ),
        ("library_warned", "A library of ours said so.", "library message"),
    ),
    *declared(
        "error",
        (
            "certificate_unreadable",
            "The certificate's file has changed and is none; the old one is shown.",
            "why kept_until",
        ),
        (
            "request_failed",
            "A fault of ours with a request, which was answered with 500; please report it.",
            "method path",
        ),
        ("library_failed", "A library of ours failed with something.", "library message"),
    ),
]
