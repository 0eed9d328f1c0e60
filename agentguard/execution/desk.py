"""Where the processes of a program meet: one budget for all, their reports, and their stop.

The parent holds the desk. Each process asks it over a socket in a folder that only this user can
enter: about 60 us a question, one before and one after each model call.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING, Any

from agentguard.budgets.ledger import LocalLedger, Shortfall
from agentguard.budgets.spend import Amount, Limits, Spend
from agentguard.execution.receipt import EndedBy, Receipt

if TYPE_CHECKING:
    from agentguard.execution.plan import Plan

__all__ = ["Desk", "DeskLedger", "Line"]

_GONE = (EOFError, OSError)


class Desk:
    """The parent's side. Serves in threads of its own until `close`."""

    def __init__(self, plan: Plan) -> None:
        self.ledger = LocalLedger(plan.limits)
        self._lock = threading.Lock()
        self._receipts: dict[int, Receipt] = {}
        self._alive: set[int] = set()
        self._stopped: EndedBy | None = None
        self._listener = Listener(plan.address, "AF_UNIX", authkey=bytes.fromhex(plan.secret))
        threading.Thread(target=self._listen, name="agentguard-desk", daemon=True).start()

    def close(self) -> None:
        """Take no more questions."""
        self._listener.close()

    @property
    def alive(self) -> set[int]:
        """The ids of the processes that report, and have not ended."""
        with self._lock:
            return set(self._alive)

    @property
    def guarded(self) -> int:
        """How many processes there were."""
        with self._lock:
            return len(self._receipts)

    @property
    def stopped(self) -> EndedBy | None:
        """Why the program was stopped; None while it may go on."""
        with self._lock:
            return self._stopped

    def stop(self, why: EndedBy) -> None:
        """Stop all processes: each of them learns of it when it reports next."""
        with self._lock:
            self._stopped = self._stopped or why

    @property
    def receipt(self) -> Receipt:
        """What all processes did so far."""
        with self._lock:
            return Receipt.sum([Receipt(stopped=self._stopped), *self._receipts.values()])

    def report(self, process: int, receipt: Receipt) -> EndedBy | None:
        """Take a process's report; tells it whether it has to stop."""
        with self._lock:
            self._alive.add(process)
            self._receipts[process] = receipt
            self._stopped = self._stopped or receipt.stopped
            return self._stopped

    def _listen(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except _GONE:
                if self._listener._listener._socket.fileno() < 0:  # type: ignore[attr-defined]
                    return
                continue
            except Exception:  # noqa: BLE001, S112 - whoever it was, it did not know the secret
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="agentguard-desk", daemon=True
            ).start()

    def _serve(self, line: Connection[Any, Any]) -> None:
        held = Spend()
        reporting: int | None = None
        try:
            while True:
                question, arguments = line.recv()
                if question == "reserve":
                    answer: object = self.ledger.reserve(*arguments)
                    held += Spend(*arguments[0]) if answer is None else Spend()
                elif question == "settle":
                    answer = self.ledger.settle(*arguments)
                    held -= Spend(*arguments[0])
                elif question == "release":
                    self.ledger.release(*arguments)
                    held -= Spend(*arguments[0])
                    answer = None
                elif question == "report":
                    reporting, _ = arguments
                    answer = self.report(*arguments)
                else:
                    answer = getattr(self.ledger, question)
                line.send(answer)
        except _GONE:
            # The process is gone. What it had in flight was sent, as far as anybody knows.
            if held.calls:
                self.ledger.settle(held, held)
            with self._lock:
                self._alive -= {reporting}


class Line:
    """A process's connection to the desk, opened anew in each fork."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._connection: Connection[Any, Any] | None = None

    def ask(self, question: str, *arguments: object) -> Any:
        """The desk's answer. Raises OSError or EOFError where there is none."""
        with self._lock:
            if self._connection is None:
                secret = bytes.fromhex(self._plan.secret)
                self._connection = Client(self._plan.address, "AF_UNIX", authkey=secret)
            self._connection.send((question, arguments))
            return self._connection.recv()

    def after_fork(self) -> None:
        """Leave the parent's connection to the parent."""
        self._lock = threading.Lock()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None


class DeskLedger:
    """The program's budget, as each of its processes sees it: a `Ledger` at the desk."""

    called = "the program's limit"

    def __init__(self, line: Line) -> None:
        self._line = line

    def reserve(self, amount: Amount) -> Shortfall | None:
        """Hold the amount, or say which limit it does not fit into."""
        answer: Shortfall | None = self._line.ask("reserve", amount)
        return answer

    def settle(self, held: Amount, spent: Amount) -> Shortfall | None:
        """End a reservation with what was spent."""
        answer: Shortfall | None = self._line.ask("settle", held, spent)
        return answer

    def release(self, held: Amount) -> None:
        """End a reservation of which nothing was spent."""
        self._line.ask("release", held)

    @property
    def limits(self) -> Limits:
        """The most that may be spent."""
        return Limits(*self._line.ask("limits"))

    @property
    def left(self) -> Limits:
        """What can be reserved now."""
        return Limits(*self._line.ask("left"))

    @property
    def spent(self) -> Spend:
        """What all processes spent."""
        return Spend(*self._line.ask("spent"))

    @property
    def held(self) -> Spend:
        """What all processes have reserved."""
        return Spend(*self._line.ask("held"))
