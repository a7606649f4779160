"""The public names: this list changes on purpose or not at all."""

import subprocess
import sys

import pytest

import agentic_atlas

PUBLIC = [
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


def test_the_public_names_are_these() -> None:
    assert agentic_atlas.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(agentic_atlas, name)
    assert isinstance(value, str) or value.__doc__
    assert name in dir(agentic_atlas)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        _ = agentic_atlas.Server


def test_importing_the_package_alone_loads_next_to_nothing() -> None:
    ours = "[name for name in sys.modules if name.startswith(('agentic_atlas.', 'pydantic'))]"
    code = f"import sys; import agentic_atlas; print({ours})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['agentic_atlas._version']"
