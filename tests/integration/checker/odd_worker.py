"""A worker that does with a value what the value says."""

import os
import socket
import time

from agentic_atlas.backend.checker import worker
from agentic_atlas.backend.domain.records import InputFault


class Odd:
    def fits(self, value: object) -> bool:
        match value:
            case "work" | {"value": "work"}:
                self._work()
            case "sleep":
                time.sleep(60)
            case "fill":
                bytearray(1024 * 1024 * 1024)
            case "crash":
                os._exit(3)
        return value == "fit"

    def faults(self, value: object, name: str) -> list[InputFault]:
        match value:
            case "work to tell":
                self._work()
            case "who":
                return [InputFault("", f"{os.getpid()} {sorted(os.environ)} {self._sockets()}")]
        return [InputFault("/place", f"{name} is odd")]

    def _work(self) -> None:
        while True:
            pass

    def _sockets(self) -> int:
        found = 0
        for number in range(3, 64):
            try:
                socket.socket(fileno=os.dup(number)).close()
                found += 1
            except OSError:
                continue
        return found


if __name__ == "__main__":
    worker.main(lambda _: Odd(), seconds=0.1)
