"""What this process takes of the machine, for the beats."""

import msgspec
import psutil


class Reading(msgspec.Struct, frozen=True):
    """CPU in percent of one core since the last reading, memory in resident bytes."""

    cpu: float = 0.0
    memory: int = 0


class Vitals:
    """Reads the resources of this process."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent(None)

    def read(self) -> Reading:
        """Return a reading; zeros where the system does not tell."""
        try:
            with self._process.oneshot():
                return Reading(self._process.cpu_percent(None), self._process.memory_info().rss)
        except psutil.Error:
            return Reading()
