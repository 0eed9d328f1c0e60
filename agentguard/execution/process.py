"""Inside of a process of the program: one run around everything that it does."""

from __future__ import annotations

import os
import sys

from agentguard.execution.plan import Plan

__all__ = ["begin"]


def begin() -> None:
    """Put this process under the plan in its environment; nothing without one.

    Ends the process where it cannot be guarded as it was asked for.
    """
    try:
        plan = Plan.of_process()
        if plan is not None:
            _begin(plan)
    except Exception as problem:  # noqa: BLE001 - whatever it is, nothing shall run unguarded
        said = f"{type(problem).__name__}: {problem}"
        sys.stderr.write(f"agentguard exec: not started, for it cannot be guarded: {said}\n")
        sys.stderr.flush()
        os._exit(os.EX_CONFIG)


def _begin(plan: Plan) -> None:
    from agentguard.config import load_settings
    from agentguard.execution.desk import DeskLedger, Line
    from agentguard.execution.reporting import Reporter, ReportGuard
    from agentguard.execution.tracing import trace_program
    from agentguard.guards.installation import watch_process
    from agentguard.guards.state import RunState
    from agentguard.prices import project as project_prices
    from agentguard.prices.source import preload
    from agentguard.remote_stop import watch
    from agentguard.runtime import runtime

    preload()
    settings = load_settings()
    runtime.settings, runtime.service = settings, settings.service_name or ""
    line = Line(plan)
    os.register_at_fork(after_in_child=line.after_fork)
    # Reports have a line of their own: no call waits for that of another thread.
    reporter = Reporter(Line(plan))
    guards = [*plan.guards(DeskLedger(line)), ReportGuard(reporter)]
    run = RunState(plan.name, plan.run_id, guards, service=runtime.service)
    runtime.process_run = run
    watch(settings)
    project_prices.watch(settings)
    trace_program(settings)
    watch_process()
    reporter.watch(run)
