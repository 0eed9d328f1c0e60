"""Runs the crew under each instrumentor, then its runaway, and knows what traces must then say."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from agentguard.demo.ailments import AILMENTS, Runaway
from agentguard.demo.ailments import respond as respond_to_runaway
from agentguard.demo.instrumentors import CONTENT_SETTINGS, INSTRUMENTORS
from agentguard.demo.provider import ProviderServer, Usage
from agentguard.demo.script import respond

__all__ = ["CrewRun", "DemoError", "DemoReport", "StoppedRun", "run_crews", "run_runaways"]

_REFUSE_EVERY = 6
_TIMEOUT_S = 60.0


class DemoError(Exception):
    """The crew's process ended badly; the message holds what it said last."""


@dataclass(frozen=True, slots=True)
class CrewRun:
    """One run of the crew, as the provider saw it.

    `calls` are model calls that were answered (model spans to expect), `refused` are 429s that
    the client retried by itself. `usage` and `usage_by_model` are what was billed.
    """

    instrumentor: str
    service: str
    trace_id: str
    calls: int
    refused: int
    usage: Usage
    usage_by_model: Mapping[str, Usage]
    seconds: float


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """One runaway, as it saw itself, and as the provider saw it.

    `requests` is how many model calls reached the provider, `too_late` how many of them after the
    stop.
    """

    said: Runaway
    requests: int
    too_late: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All runs, in the order they were made."""

    runs: tuple[CrewRun, ...]
    stopped: tuple[StoppedRun, ...] = ()


def run_crews(
    otlp_http: str,
    api_key: str,
    on_progress: Callable[[str], None],
    instrumentors: Sequence[str] = ("genai", "openinference"),
) -> DemoReport:
    """Runs the research crew once per instrumentor, each in a process of its own.

    Args:
        otlp_http: the collector's OTLP/HTTP endpoint, as `http://127.0.0.1:4318`.
        api_key: a key with the scope `ingest`.
        on_progress: called with one line of text before and after each run.
        instrumentors: names out of `agentguard.demo.instrumentors.INSTRUMENTORS`.

    When it returns, every span has been sent: each process flushes before it ends. Takes a few
    seconds per run.

    Raises:
        InstrumentorMissingError: a package is not installed; the message names it.
        DemoError: a crew did not finish; the message holds the end of what it logged.
    """
    for name in instrumentors:
        INSTRUMENTORS[name].check()
    runs = []
    for name in instrumentors:
        on_progress(f"running the research crew, its model calls traced by {name}")
        run = _run_crew(name, otlp_http, api_key)
        on_progress(
            f"{run.calls} model calls, {run.refused} refused and retried, {run.seconds:.1f} s"
        )
        runs.append(run)
    return DemoReport(tuple(runs))


def run_runaways(
    otlp_http: str, api_key: str, on_progress: Callable[[str], None]
) -> tuple[StoppedRun, ...]:
    """Lets the runaway go, once with each ailment; arguments and errors are those of `run_crews`.

    Each goes on until a guard stops it: takes a few seconds.
    """
    stopped = []
    for ailment in AILMENTS:
        on_progress(f"letting a runaway go that is {ailment}")
        with ProviderServer(respond_to_runaway) as provider:
            options = ["--ailment", ailment]
            said = Runaway(**_finish("runaway", options, provider, otlp_http, api_key))
            requests = provider.requests()
        late = sum(request.received_at > said.stopped_at * 1e9 for request in requests)
        stopped.append(StoppedRun(said, len(requests), late))
        on_progress(f"stopped by the {said.guard} guard after {said.calls} model calls")
    return tuple(stopped)


def _run_crew(instrumentor: str, otlp_http: str, api_key: str) -> CrewRun:
    started = time.monotonic()
    with ProviderServer(respond, refuse_every=_REFUSE_EVERY) as provider:
        answer = _finish("crew", ["--instrumentor", instrumentor], provider, otlp_http, api_key)
        return _summary(instrumentor, answer, provider, time.monotonic() - started)


def _finish(
    module: str, options: Sequence[str], provider: ProviderServer, otlp_http: str, api_key: str
) -> dict[str, Any]:
    command = [sys.executable, "-m", f"agentguard.demo.{module}", *options]
    command += ["--provider-url", provider.base_url]
    environment = os.environ | CONTENT_SETTINGS
    environment |= {"AGENTGUARD_ENDPOINT": otlp_http, "AGENTGUARD_API_KEY": api_key}
    # Both servers are on loopback, where no proxy can reach them.
    environment |= {"OPENAI_API_KEY": provider.api_key, "NO_PROXY": "127.0.0.1"}
    try:
        done = subprocess.run(  # noqa: S603  our own module, by this interpreter
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"the crew did not finish within {_TIMEOUT_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise DemoError(f"the crew failed:\n{error.stderr[-2_000:]}") from error
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _summary(
    instrumentor: str, answer: Mapping[str, Any], provider: ProviderServer, seconds: float
) -> CrewRun:
    requests = provider.requests()
    statuses = Counter(r.status for r in requests)
    by_model: dict[str, Usage] = {}
    for request in requests:
        if request.usage:
            by_model[request.model] = by_model.get(request.model, Usage()) + request.usage
    return CrewRun(
        instrumentor=instrumentor,
        service=f"research-crew-{instrumentor}",
        trace_id=answer["trace_id"],
        calls=statuses[HTTPStatus.OK],
        refused=statuses[HTTPStatus.TOO_MANY_REQUESTS],
        usage=provider.usage(),
        usage_by_model=by_model,
        seconds=seconds,
    )
