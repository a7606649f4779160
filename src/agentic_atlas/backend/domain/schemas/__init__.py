"""Values against the JSON Schemas of skills and questions: whether they fit, and if not, where and why."""

from agentic_atlas.backend.domain.schemas.declared import look_at
from agentic_atlas.backend.domain.schemas.validator import Validator, compiled_size

__all__ = ["Validator", "compiled_size", "look_at"]
