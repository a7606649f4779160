"""Who watches is looked at again when what they see has changed: nobody watches on a right of the past."""

from collections.abc import Iterable

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import key_invalid, seen_by
from agentic_atlas.errors import AtlasError


async def look_again(engine: Engine, user_ids: Iterable[str]) -> None:
    """End what these users watch and do not see any more; their other watches go on."""
    for user_id in user_ids:
        watched = engine.feed.watched_by(user_id)
        user = await engine.store.users.get(user_id) if watched else None
        for task_id, watches in watched.items():
            try:
                if user is None:
                    raise key_invalid()
                await engine.access.standing(seen_by(user), task_id)
            except AtlasError as error:
                # One that can't be looked at now ends too, and may be begun again.
                for watch in watches:
                    watch.refuse(error)
