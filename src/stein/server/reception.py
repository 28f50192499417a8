"""What visitors of the control socket may ask, and what they are answered."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from stein.clock import monotonic
from stein.server.fleet import Outcome
from stein.server.recycler import resident_memory
from stein.tracebacks import whereabouts

if TYPE_CHECKING:
    from stein.server.board import Board
    from stein.server.control import Visitor
    from stein.server.supervisor import Supervisor

__all__ = ["Reception"]

logger: Final = logging.getLogger("stein.error")


class Reception:
    """Does what visitors ask for, as far as it is one of the commands.

    :param supervisor: who can do it.
    :param board: what there is to show.
    """

    def __init__(self, supervisor: Supervisor, board: Board) -> None:
        self._supervisor = supervisor
        self._board = board
        self._born = monotonic()
        self._until_the_end: list[Visitor] = []

    def obey(self, command: dict[str, Any], visitor: Visitor) -> None:
        """Do what a visitor asks for; it is answered when it is done."""
        name = command["command"]
        method = getattr(self, f"_do_{name}", None) if name.isidentifier() else None
        if method is None:
            self._answer(visitor, Outcome(ok=False, text=f"there is no command {name!r}", code=2))
            return
        try:
            method(command, visitor)
        except Exception as error:
            logger.exception("internal error of the supervisor")
            text = f"internal error of the supervisor: {whereabouts(error)}; its log has more"
            self._answer(visitor, Outcome(ok=False, text=text, code=1))

    @staticmethod
    def _answer(visitor: Visitor, outcome: Outcome) -> None:
        visitor.answer(dataclasses.asdict(outcome))

    def _do_status(self, _command: dict[str, Any], visitor: Visitor) -> None:
        visitor.answer(self.status())

    def _do_reload(self, _command: dict[str, Any], visitor: Visitor) -> None:
        self._supervisor.reload(lambda outcome: self._answer(visitor, outcome))

    def _do_upgrade(self, _command: dict[str, Any], visitor: Visitor) -> None:
        self._supervisor.upgrade(lambda outcome: self._answer(visitor, outcome))

    def _do_scale(self, command: dict[str, Any], visitor: Visitor) -> None:
        wanted = command.get("workers")
        if isinstance(wanted, int):
            self._answer(visitor, self._supervisor.scale(wanted))
        else:
            text = f"scale: workers={wanted!r} is no whole number"
            self._answer(visitor, Outcome(ok=False, text=text, code=2))

    def _do_stop(self, command: dict[str, Any], visitor: Visitor) -> None:
        self._until_the_end.append(visitor)
        if command.get("fast"):
            self._supervisor.quit()
        else:
            self._supervisor.stop()

    def _do_reopen(self, _command: dict[str, Any], visitor: Visitor) -> None:
        self._supervisor.reopen()
        self._answer(visitor, Outcome(ok=True, text="done"))

    def _do_dump(self, _command: dict[str, Any], visitor: Visitor) -> None:
        self._supervisor.dump()
        self._answer(visitor, Outcome(ok=True, text="each worker writes it to its standard error"))

    def say_farewell(self) -> None:
        """Answer those who wait for the end."""
        text = f"process {os.getpid()} ({self._supervisor.plan.target}) has ended"
        for visitor in self._until_the_end:
            self._answer(visitor, Outcome(ok=True, text=text))

    def status(self) -> dict[str, Any]:
        """Return how things are, as what JSON can hold."""
        supervisor = self._supervisor
        fleet, now = supervisor.fleet, monotonic()
        workers = fleet.described(now)
        for each in workers:
            each["rss"] = resident_memory(each["pid"])
        return {
            "ok": True,
            "parent": {
                "pid": os.getpid(),
                "state": self._state(),
                "uptime": round(now - self._born, 3),
                "wanted": fleet.wanted,
                "generation": fleet.generation,
                "application": supervisor.plan.target,
                "rss": resident_memory(os.getpid()),
                "python": sys.version.partition(" ")[0],
            },
            "workers": workers,
            "restarts": fleet.restarts,
            "board": dataclasses.asdict(self._board.read()),
        }

    def _state(self) -> str:
        fleet = self._supervisor.fleet
        if fleet.stopping:
            return "stopping"
        if fleet.is_reloading:
            return "reloading"
        if fleet.wanted == 0:
            return "paused"
        return "starting" if len(fleet.ready) < fleet.wanted else "serving"
