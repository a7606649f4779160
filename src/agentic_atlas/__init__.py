"""A self-hosted network for local agents.

The public names are these. They are imported when they are first used, so `import agentic_atlas` costs next to nothing
and a program that only calls others never loads what only an agent needs.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from agentic_atlas._version import __version__

if TYPE_CHECKING:
    from agentic_atlas.errors import (
        AtlasError,
        Busy,
        ConfigurationError,
        Conflict,
        Forbidden,
        InvalidInput,
        NotFound,
        PayloadTooLarge,
        TaskError,
        Unauthenticated,
        Unavailable,
    )
    from agentic_atlas.protocol.caller.accounts import (
        AccountInfo,
        IdentityInfo,
        InvitationInfo,
        LoggedOut,
        NewInvitation,
        TotpEnrolment,
    )
    from agentic_atlas.protocol.caller.agents import (
        AgentInfo,
        AgentInstance,
        AgentShares,
        AgentSummary,
        EndedToken,
        HeldTask,
        NewToken,
        RefusedInstance,
        RevokedToken,
        SecondInstance,
        ShareInfo,
        SkillInfo,
        TokenInfo,
    )
    from agentic_atlas.protocol.caller.attention import (
        AttentionItem,
    )
    from agentic_atlas.protocol.caller.audit import (
        AuditActor,
        AuditAnchor,
        AuditArchive,
        AuditEntry,
        AuditFlaw,
        AuditHead,
        AuditObject,
        AuditReport,
    )
    from agentic_atlas.protocol.caller.backups import BackupInfo
    from agentic_atlas.protocol.caller.logs import LogInfo, LogSkip
    from agentic_atlas.protocol.caller.people import (
        ApiKeyInfo,
        GroupInfo,
        ListedUser,
        LoginInfo,
        NewApiKey,
        SessionInfo,
        SigningKeyInfo,
        UserInfo,
        WhoAmI,
    )
    from agentic_atlas.protocol.caller.resources import (
        Fleet,
        InstanceResources,
        ProcessInfo,
        ResourceHistory,
        ResourcePoint,
    )
    from agentic_atlas.protocol.caller.statistics import (
        CallCount,
        FailureCount,
        SkillCounts,
        StatisticsInfo,
        TaskCounts,
        TimedCounts,
    )
    from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo
    from agentic_atlas.protocol.caller.tasks import (
        CallerInfo,
        CallEvent,
        EventInfo,
        QuestionInfo,
        TaskInfo,
        TaskPage,
        TaskSummary,
    )
    from agentic_atlas.protocol.caller.traces import (
        ArtifactInfo,
        TraceAttempt,
        TraceCut,
        TraceInfo,
        TraceStep,
        TraceTask,
    )
    from agentic_atlas.protocol.caller.values import ErrorInfo
    from agentic_atlas.protocol.messages import Delivery, Policy, Resources, SkillSpec
    from agentic_atlas.sdk.agent import Agent
    from agentic_atlas.sdk.client.account import AsyncAccount
    from agentic_atlas.sdk.client.agents import AsyncAgents, AsyncTokens
    from agentic_atlas.sdk.client.asynchronous import AsyncClient, AsyncTasks, TaskQuery
    from agentic_atlas.sdk.client.audit import AsyncAudit
    from agentic_atlas.sdk.client.blocking import (
        BlockingAccount,
        BlockingAgents,
        BlockingAudit,
        BlockingBackups,
        BlockingGroups,
        BlockingKeys,
        BlockingLogins,
        BlockingLogs,
        BlockingPeople,
        BlockingServer,
        BlockingStatistics,
        BlockingTask,
        BlockingTasks,
        BlockingTokens,
        Client,
    )
    from agentic_atlas.sdk.client.errors import ConnectionCut, NotFinished, UnexpectedAnswer
    from agentic_atlas.sdk.client.http import Sources
    from agentic_atlas.sdk.client.logs import AsyncLogs
    from agentic_atlas.sdk.client.people import AsyncBackups, AsyncGroups, AsyncKeys, AsyncLogins, AsyncPeople
    from agentic_atlas.sdk.client.server import AsyncServer
    from agentic_atlas.sdk.client.statistics import AsyncStatistics
    from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest
    from agentic_atlas.sdk.program import Served, run
    from agentic_atlas.sdk.resources.pausing import PauseOptions
    from agentic_atlas.sdk.skills.artifact import Artifact
    from agentic_atlas.sdk.skills.content import DataPart, FilePart, LinkPart, TextPart
    from agentic_atlas.sdk.skills.context import Context, Posted, Rejected, SyncContext
    from agentic_atlas.sdk.skills.questions import NoAnswer
    from agentic_atlas.sdk.skills.reports import TaskLog
    from agentic_atlas.sdk.skills.skill import SkillOptions

_HOME: Final = {
    "agentic_atlas.errors": (
        "AtlasError Busy ConfigurationError Conflict Forbidden InvalidInput NotFound PayloadTooLarge TaskError "
        "Unauthenticated Unavailable"
    ),
    "agentic_atlas.protocol.caller.accounts": (
        "AccountInfo IdentityInfo InvitationInfo LoggedOut NewInvitation TotpEnrolment"
    ),
    "agentic_atlas.protocol.caller.agents": (
        "AgentInfo AgentInstance AgentShares AgentSummary EndedToken HeldTask NewToken RefusedInstance RevokedToken "
        "SecondInstance ShareInfo SkillInfo TokenInfo"
    ),
    "agentic_atlas.protocol.caller.attention": "AttentionItem",
    "agentic_atlas.protocol.caller.audit": "AuditActor AuditAnchor AuditArchive AuditEntry AuditFlaw AuditHead "
    "AuditObject AuditReport",
    "agentic_atlas.protocol.caller.backups": "BackupInfo",
    "agentic_atlas.protocol.caller.people": (
        "ApiKeyInfo GroupInfo ListedUser LoginInfo NewApiKey SessionInfo SigningKeyInfo UserInfo WhoAmI"
    ),
    "agentic_atlas.protocol.caller.resources": ("Fleet InstanceResources ProcessInfo ResourceHistory ResourcePoint"),
    "agentic_atlas.protocol.caller.logs": "LogInfo LogSkip",
    "agentic_atlas.protocol.caller.statistics": (
        "CallCount FailureCount SkillCounts StatisticsInfo TaskCounts TimedCounts"
    ),
    "agentic_atlas.protocol.caller.system": "LimitInfo ServerInfo",
    "agentic_atlas.protocol.caller.tasks": "CallEvent CallerInfo EventInfo QuestionInfo TaskInfo TaskPage TaskSummary",
    "agentic_atlas.protocol.caller.traces": "ArtifactInfo TraceAttempt TraceCut TraceInfo TraceStep TraceTask",
    "agentic_atlas.protocol.caller.values": "ErrorInfo",
    "agentic_atlas.protocol.messages": "Delivery Policy Resources SkillSpec",
    "agentic_atlas.sdk.agent": "Agent",
    "agentic_atlas.sdk.client.account": "AsyncAccount",
    "agentic_atlas.sdk.client.agents": "AsyncAgents AsyncTokens",
    "agentic_atlas.sdk.client.asynchronous": "AsyncClient AsyncTasks TaskQuery",
    "agentic_atlas.sdk.client.audit": "AsyncAudit",
    "agentic_atlas.sdk.client.blocking": (
        "BlockingAccount BlockingAgents BlockingAudit BlockingBackups BlockingGroups BlockingKeys BlockingLogins "
        "BlockingLogs BlockingPeople BlockingServer BlockingStatistics "
        "BlockingTask BlockingTasks BlockingTokens Client"
    ),
    "agentic_atlas.sdk.client.errors": "ConnectionCut NotFinished UnexpectedAnswer",
    "agentic_atlas.sdk.client.http": "Sources",
    "agentic_atlas.sdk.client.people": "AsyncBackups AsyncGroups AsyncKeys AsyncLogins AsyncPeople",
    "agentic_atlas.sdk.client.server": "AsyncServer",
    "agentic_atlas.sdk.client.logs": "AsyncLogs",
    "agentic_atlas.sdk.client.statistics": "AsyncStatistics",
    "agentic_atlas.sdk.client.task": "TaskHandle TaskRequest",
    "agentic_atlas.sdk.program": "Served run",
    "agentic_atlas.sdk.resources.pausing": "PauseOptions",
    "agentic_atlas.sdk.skills.artifact": "Artifact",
    "agentic_atlas.sdk.skills.content": "DataPart FilePart LinkPart TextPart",
    "agentic_atlas.sdk.skills.context": "Context Posted Rejected SyncContext",
    "agentic_atlas.sdk.skills.questions": "NoAnswer",
    "agentic_atlas.sdk.skills.skill": "SkillOptions",
    "agentic_atlas.sdk.skills.reports": "TaskLog",
}
_MODULE: Final = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "AccountInfo",
    "Agent",
    "AgentInfo",
    "AgentInstance",
    "AgentShares",
    "AgentSummary",
    "ApiKeyInfo",
    "Artifact",
    "ArtifactInfo",
    "AsyncAccount",
    "AsyncAgents",
    "AsyncAudit",
    "AsyncBackups",
    "AsyncClient",
    "AsyncGroups",
    "AsyncKeys",
    "AsyncLogins",
    "AsyncLogs",
    "AsyncPeople",
    "AsyncServer",
    "AsyncStatistics",
    "AsyncTasks",
    "AsyncTokens",
    "AtlasError",
    "AttentionItem",
    "AuditActor",
    "AuditAnchor",
    "AuditArchive",
    "AuditEntry",
    "AuditFlaw",
    "AuditHead",
    "AuditObject",
    "AuditReport",
    "BackupInfo",
    "BlockingAccount",
    "BlockingAgents",
    "BlockingAudit",
    "BlockingBackups",
    "BlockingGroups",
    "BlockingKeys",
    "BlockingLogins",
    "BlockingLogs",
    "BlockingPeople",
    "BlockingServer",
    "BlockingStatistics",
    "BlockingTask",
    "BlockingTasks",
    "BlockingTokens",
    "Busy",
    "CallCount",
    "CallEvent",
    "CallerInfo",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ConnectionCut",
    "Context",
    "DataPart",
    "Delivery",
    "EndedToken",
    "ErrorInfo",
    "EventInfo",
    "FailureCount",
    "FilePart",
    "Fleet",
    "Forbidden",
    "GroupInfo",
    "HeldTask",
    "IdentityInfo",
    "InstanceResources",
    "InvalidInput",
    "InvitationInfo",
    "LimitInfo",
    "LinkPart",
    "ListedUser",
    "LogInfo",
    "LogSkip",
    "LoggedOut",
    "LoginInfo",
    "NewApiKey",
    "NewInvitation",
    "NewToken",
    "NoAnswer",
    "NotFinished",
    "NotFound",
    "PauseOptions",
    "PayloadTooLarge",
    "Policy",
    "Posted",
    "ProcessInfo",
    "QuestionInfo",
    "RefusedInstance",
    "Rejected",
    "ResourceHistory",
    "ResourcePoint",
    "Resources",
    "RevokedToken",
    "SecondInstance",
    "Served",
    "ServerInfo",
    "SessionInfo",
    "ShareInfo",
    "SigningKeyInfo",
    "SkillCounts",
    "SkillInfo",
    "SkillOptions",
    "SkillSpec",
    "Sources",
    "StatisticsInfo",
    "SyncContext",
    "TaskCounts",
    "TaskError",
    "TaskHandle",
    "TaskInfo",
    "TaskLog",
    "TaskPage",
    "TaskQuery",
    "TaskRequest",
    "TaskSummary",
    "TextPart",
    "TimedCounts",
    "TokenInfo",
    "TotpEnrolment",
    "TraceAttempt",
    "TraceCut",
    "TraceInfo",
    "TraceStep",
    "TraceTask",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "UserInfo",
    "WhoAmI",
    "__version__",
    "run",
]


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
