"""JSON Schemas of skills and questions: what they may hold, and what a check against one costs at the most.

Both ends ask here, so that what the server would refuse is refused where it is declared. Nothing is compiled.
"""

from agentic_atlas.protocol.schemas.cost import NO_COST, Cost, check_together, cost_of
from agentic_atlas.protocol.schemas.keywords import SCHEMA_BYTES, SchemaRefused

__all__ = ["NO_COST", "SCHEMA_BYTES", "Cost", "SchemaRefused", "check_together", "cost_of"]
