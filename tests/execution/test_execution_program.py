"""`agentguard exec`: programs that know nothing of guards are stopped, and get a receipt."""

import json
import os
import time

import pytest

# An agent that catches every exception and goes on.
STUBBORN = """
import sys, openai
client = openai.OpenAI(max_retries=0)
done = 0
for turn in range(int(sys.argv[1])):
    try:
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": f"question {turn}"}],
        )
        done += 1
    except Exception:
        pass
print("done", done)
"""

# As stubborn, with calls that it makes and traces by itself: to load the client takes a second.
BY_HAND = """
import json, os, sys, urllib.request
from agentguard import chat_span
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
headers = {
    "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
    "Content-Type": "application/json",
}
done = 0
for turn in range(int(sys.argv[1])):
    messages = [{"role": "user", "content": f"question {turn}"}]
    body = json.dumps({"model": "gpt-4o-mini", "messages": messages}).encode()
    try:
        with chat_span("gpt-4o-mini", provider="openai"):
            urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()
            done += 1
    except Exception:
        pass
print("done", done)
"""

# The same calls, as spans of the program's own; there is no model client at all.
WITH_SPANS = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("mine")
done = 0
for turn in range(int(sys.argv[1])):
    try:
        with tracer.start_as_current_span("chat gpt-4o-mini", attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
        }) as span:
            done += 1
            span.set_attribute("gen_ai.usage.input_tokens", 1000)
            span.set_attribute("gen_ai.usage.output_tokens", 100)
    except Exception:
        pass
print("done", done)
"""

FAMILY = """
import os, subprocess, sys
script = sys.argv[1]
children = [subprocess.Popen([sys.executable, script, "30"]) for _ in range(3)]
sys.exit(max(child.wait() for child in children))
"""

POOL = """
import multiprocessing, sys
from agentguard import chat_span

def work(turn):
    try:
        with chat_span("gpt-4o-mini", provider="openai"):
            return 1
    except Exception:
        return 0

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print("done", sum(pool.map(work, range(60), chunksize=1)))
"""


def test_an_unmodified_program_is_stopped(execute, provider):
    """After the stop no request reaches the model, though the program goes on trying."""
    done = execute("--budget-calls 5 --json", STUBBORN, "100")
    assert done.code == 75
    assert done.stdout == "done 5\n"
    assert len(provider.requests()) == 5
    receipt = done.receipt
    assert (receipt["outcome"], receipt["stopped"]["guard"]) == ("stopped", "budget")
    assert (receipt["model_calls"], receipt["refused"]) == (5, {"llm": 95})
    billed = provider.usage()
    assert sum(receipt["usage"].values()) == billed.prompt + billed.completion


def test_a_program_that_emits_spans_is_stopped(execute):
    """Spans that the program makes with a provider of its own are guarded; costs are counted.

    They say neither what is sent nor how much may be answered, so the last one may begin with
    whatever is left.
    """
    done = execute("--budget-usd 0.001 --json", WITH_SPANS, "100")
    assert (done.code, done.stdout) == (75, "done 5\n")
    assert done.receipt["cost_usd"] == "0.001050000000"


def test_a_loop_is_stopped(execute, provider):
    """The same question over and over is a loop."""
    source = STUBBORN.replace('f"question {turn}"', '"the same question"')
    done = execute("--loop --json", source, "30")
    assert (done.code, done.receipt["stopped"]["guard"]) == (75, "loop")
    assert 2 <= len(provider.requests()) <= 4


def test_what_was_not_stopped_is_not_touched(execute, provider):
    """Within its budget a program ends as it would, with its own exit code, and a receipt."""
    done = execute("--budget-calls 9 --budget-usd 1 --timeout 1m --json", STUBBORN, "3")
    assert (done.code, done.stdout, len(provider.requests())) == (0, "done 3\n", 3)
    assert done.receipt["outcome"] == "completed"
    failed = execute("--json", "import sys; sys.exit(3)")
    assert (failed.code, failed.receipt["outcome"]) == (3, "failed")
    killed = execute("--json", "import os; os.kill(os.getpid(), 9)")
    assert killed.code == 128 + 9


def test_one_budget_for_all_processes(execute, provider, tmp_path):
    """Three children of the program spend one budget between them, and no more."""
    (tmp_path / "child.py").write_text(BY_HAND)
    done = execute("--budget-calls 7 --json", FAMILY, str(tmp_path / "child.py"))
    assert done.code == 75
    assert len(provider.requests()) == 7
    assert done.receipt["model_calls"] == 7
    assert done.receipt["guarded_processes"] == 4


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_one_budget_for_workers(execute, method):
    """Workers of multiprocessing share the budget, forked or spawned; each call is counted once."""
    done = execute("--budget-calls 10 --json", POOL, method)
    assert (done.code, done.stdout) == (75, "done 10\n")
    assert done.receipt["model_calls"] == 10


def test_time_is_up(execute):
    """A program that hangs without any model call is ended after its time and its grace."""
    began = time.monotonic()
    done = execute("--timeout 1s --grace 1s --json", "import time; time.sleep(60)")
    assert time.monotonic() - began < 20
    assert (done.code, done.receipt["stopped"]["guard"]) == (75, "timeout")
    assert done.receipt["killed"]


def test_a_program_that_will_not_end_is_killed(execute):
    """SIGTERM ignored, a stopped program is killed in the end."""
    source = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    done = execute("--timeout 1s --grace 0s --json", source)
    assert done.code == 75


def test_the_receipt_for_people(execute, tmp_path):
    """The receipt says what was done, what it cost and why it ended; a file gets it as JSON."""
    done = execute("--budget-calls 2 --name nightly --receipt receipt.json", BY_HAND, "5")
    for part in ("nightly", "gpt-4o-mini 2", "3 llm calls", "stopped by the budget guard"):
        assert part in done.stderr
    assert json.loads((tmp_path / "receipt.json").read_text())["model_calls"] == 2


def test_where_guards_do_not_get_in(execute):
    """A Python that ignores its environment is not guarded, and the receipt says so."""
    done = execute("--budget-calls 2", "print(1)", isolated=True)
    assert (done.code, done.stdout) == (0, "1\n")
    assert "nothing was guarded" in done.stderr


def test_the_environment_keeps_its_own_start(execute, tmp_path, monkeypatch):
    """A `sitecustomize` that the environment has already still runs, before ours."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import os; os.environ['HIDDEN'] = 'ran'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), ""]))
    done = execute("--json", "import os; print(os.environ['HIDDEN'])")
    assert done.stdout == "ran\n"
    assert done.receipt["guarded_processes"] == 1


def test_mistakes(execute, tmp_path):
    """What cannot be run, or written, is told in one line, and nothing runs."""
    for options, part in (
        ("--receipt nowhere/r.json", "there is no folder"),
        ("--timeout soon", "is not a span of time"),
        ("--budget-usd -1", "--budget-usd"),
    ):
        done = execute(options, "print('ran')")
        assert done.code == 2
        assert part in done.stderr
        assert "ran\n" not in done.stdout
        assert "Traceback" not in done.stderr


def test_a_shared_budget_and_a_stop_from_elsewhere(execute, stack, monkeypatch):
    """A program spends from a shared budget, and obeys a stop of its service."""
    monkeypatch.setenv("AGENTGUARD_ENDPOINT", stack.otlp_http)
    monkeypatch.setenv("AGENTGUARD_API_KEY", stack.api_key)
    monkeypatch.setenv("AGENTGUARD_SERVICE_NAME", "exec-shared")
    stack.cli("budgets", "set", "for-exec", "--calls", "4")
    done = execute("--budget for-exec --json", BY_HAND, "9")
    assert (done.code, done.stdout) == (75, "done 4\n")
    assert "for-exec" in done.receipt["stopped"]["reason"]
    stack.cli("stop", "--service", "exec-shared", "--reason", "enough for today")
    stopped = execute("--json", f"import time; time.sleep(3)\n{BY_HAND}", "9")
    assert (stopped.code, stopped.stdout) == (75, "done 0\n")
    assert "enough for today" in stopped.receipt["stopped"]["reason"]
    stack.cli("resume", "--service", "exec-shared")
