"""What the backend says to a router in the same process by: passed as it is."""

from agentic_atlas.protocol.inside.messages import ToRouter
from agentic_atlas.router.router import Router


class Line:
    """From the backend to the router, which is made after it (`backend.ports.Router`)."""

    router: Router
    """Set once, before the first word."""

    def say(self, message: ToRouter) -> None:
        """See `Router.say`."""
        self.router.say(message)
