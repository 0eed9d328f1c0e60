"""AutoGen: `autogen-agentchat`, which is also what `pyautogen` installs."""

import json
import re

import pytest

from tests.integrations.conftest import ROOT, run_in
from tests.integrations.stopping import check_stopped, each_runaway

HERE = "tests.integrations.autogen"
FOLDER = "tests/integrations/autogen"
PAGE = ROOT / "docs/integrations/autogen.md"
# The names of `runaways.FORMS`, which takes the library to import.
FORMS = [
    "sync",
    "async",
    "stream",
    "team",
    "team stream",
    "selector",
    "swarm",
    "magentic",
    "agent tool",
    "failing tool",
    "swallowing",
    "parallel",
]
RAISED = {"loop": "LoopDetected", "budget": "BudgetExceeded", "deadline": "TimeoutExceeded"}

QUICKSTART = """
invoke_agent weather_agent
  chat gpt-4o
  execute_tool get_weather
  chat gpt-4o
"""
OFFICE = """
invoke_workflow office
  invoke_workflow Swarm
    invoke_agent travel
      chat gpt-4o-mini-2024-07-18
      execute_tool look_up
    invoke_agent travel
      chat gpt-4o-mini-2024-07-18
      task handoff to refunds
    invoke_agent refunds
      chat gpt-4o-mini-2024-07-18
      execute_tool refund
    invoke_agent refunds
      chat gpt-4o-mini-2024-07-18
      task handoff to user
  invoke_workflow board
    chat gpt-4o-mini-2024-07-18
    invoke_agent editor
      chat gpt-4o-mini-2024-07-18
      execute_tool poet
        invoke_agent poet
          chat gpt-4o-mini-2024-07-18
invoke_workflow other
  invoke_agent alone
    chat gpt-4o-mini-2024-07-18
"""


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, with nothing sent afterwards and every token counted."""
    check_stopped(outcomes_of("autogen", f"{HERE}.runaways")[form, guard])


@each_runaway(FORMS)
def test_the_caller_gets_what_stopped_it(outcomes_of, form, guard):
    """What agents and teams raise is the guard's own exception, and no `RuntimeError`."""
    assert outcomes_of("autogen", f"{HERE}.runaways")[form, guard].raised == RAISED[guard]


def test_all_forms_are_tested(outcomes_of):
    """No form is left out here."""
    assert {form for form, _ in outcomes_of("autogen", f"{HERE}.runaways")} == set(FORMS)


@pytest.fixture(scope="module")
def traced(python_with, tmp_path_factory):
    """What was traced of each script, and of the page's, where AutoGen's own spans are on."""
    page = tmp_path_factory.mktemp("autogen") / "page.py"
    page.write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)))
    scripts = [f"{FOLDER}/quickstart.py", f"{FOLDER}/office.py", str(page)]
    done = run_in(python_with("autogen"), "-m", f"{HERE}.traced_quickstart", *scripts)
    assert done.returncode == 0, done.stderr[-4000:]
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(["quickstart", "office", "page"], said, strict=True))


def test_the_quick_start_is_one_trace(traced):
    """AutoGen's own first example: one trace, the right tree, tokens as the provider billed."""
    said = traced["quickstart"]
    assert "\n".join(said["tree"]) == QUICKSTART.strip("\n")
    assert said["traces"] == 1
    assert said["orphans"] == []
    assert said["model_calls"] == said["log"] != []


def test_teams_in_teams_have_the_right_parents(traced):
    """Two teams at once: each a trace, everything under whom it was done for."""
    said = traced["office"]
    assert "\n".join(said["tree"]) == OFFICE.strip("\n")
    assert said["traces"] == 2
    assert said["orphans"] == []
    assert said["model_calls"] == said["log"] != []


def test_spans_say_who_did_what(traced):
    """Agents have names and ids, tools arguments, results and errors, handoffs their operation."""
    spans = {span["name"]: span for span in reversed(traced["office"]["spans"])}
    travel, tool = spans["invoke_agent travel"], spans["execute_tool look_up"]
    assert travel["gen_ai.agent.name"] == "travel"
    assert travel["gen_ai.agent.id"].startswith("travel_")
    assert "Refund booking 7." in travel["gen_ai.input.messages"]
    assert "Lisbon" in travel["gen_ai.output.messages"]
    assert tool["gen_ai.tool.call.arguments"] == '{"booking":"7"}'
    assert tool["gen_ai.tool.call.result"] == "7: Lisbon, 3 May"
    assert tool["gen_ai.tool.description"] == "Look up a booking."
    assert tool["gen_ai.tool.call.id"].startswith("call_")
    assert tool["gen_ai.agent.name"] == "travel"
    assert spans["execute_tool refund"]["error.type"] == "PermissionError"
    assert spans["execute_tool refund"]["status"] == "ERROR"
    assert spans["task handoff to refunds"]["gen_ai.operation.name"] == "handoff"
    assert "gen_ai.agent.name" not in spans["invoke_workflow board"]
    assert "Transferred" in spans["invoke_workflow Swarm"]["gen_ai.output.messages"]


@pytest.fixture(scope="module")
def scenarios(python_with):
    """What came of each of `scenarios.SCENARIOS`."""
    done = run_in(python_with("autogen"), "-m", f"{HERE}.scenarios")
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_clients_of_any_provider_are_traced_and_stopped(scenarios):
    """A client that speaks to no library we know: one span a call, its usage, and the budget."""
    said = scenarios["provider_of_its_own"]
    assert said["raised"] == ["BudgetExceeded", "BudgetExceeded"]
    assert [line.strip() for line in said["tree"]].count("chat Own") == 4
    assert said["model_calls"] == [["Own", 22, 0, 1, 0]] * 2 + [["Own", 25, 0, 3, 0]] * 2
    assert said["orphans"] == []


def test_the_instrumentor_is_enough_by_itself(scenarios):
    """With the `openai` client guarded and not traced, AutoGen's model calls have their span."""
    said = scenarios["alone"]
    assert said["model_calls"] == said["log"] != []
    assert said["tree"] == ["invoke_agent assistant", "  chat gpt-4o-mini-2024-07-18"] * 2


def test_a_denied_tool_is_an_answer(scenarios):
    """An agent is told that a tool may not be called, and its run goes on."""
    said = scenarios["denied"]
    assert "may not be called" in said["answer"]
    assert said["stopped"] is False


def test_a_stop_in_a_handoff_hangs_nothing(scenarios):
    """A team whose run is stopped while an agent hands over ends with what stopped it."""
    said = scenarios["stopped_in_a_handoff"]
    assert said["raised"] == "enough (run handed, stop guard)"
    assert said["requests"] == 1
    assert said["orphans"] == []


def test_a_deadline_cuts_what_waits(scenarios):
    """People, managers and tools that do not answer in time end, with the deadline's exception."""
    said = scenarios["waiting"]
    assert said["raised"] == ["TimeoutExceeded"] * 4
    assert said["tasks"] == []
    assert said["orphans"] == []


def test_a_stopped_run_inside_of_a_tool_is_the_tools_business(scenarios):
    """An agent gets what its tool made of a run of its own that was stopped, and goes on."""
    assert scenarios["run_in_a_tool"] == {"answer": "Only so much.", "stopped": False}


def test_what_is_given_up_is_ended(scenarios):
    """A cancelled task and streams that nobody reads on leave no span open, and no task."""
    said = scenarios["cancelled"]
    assert said["raised"] == "CancelledError"
    assert said["tasks"] == []
    assert said["orphans"] == []
    assert said["tree"].count("  invoke_agent two") == 2
    assert said["tree"][-2:] == ["invoke_agent three", "  chat gpt-4o-mini-2024-07-18"]


def test_other_errors_stay_what_they_are(scenarios):
    """Where no guard stopped anything, the program gets what AutoGen raises."""
    said = scenarios["failing"]
    assert said["raised"] == ["AuthenticationError", "RuntimeError"]
    assert said["errors"]["invoke_agent assistant"] == "openai.AuthenticationError"


def test_the_core_keeps_its_spans(scenarios):
    """Messages in a runtime that is no team's are traced as AutoGen does it."""
    assert "autogen process echo.(default)-A" in scenarios["core"]["names"]


def test_it_can_be_taken_back(scenarios):
    """On twice, off twice, and on again: nothing is traced twice, and nothing stays behind."""
    said = scenarios["reversible"]
    assert said["traced"] == [["invoke_agent assistant", "chat Late"]] * 2
    assert said["off"] == ["create_agent assistant", "invoke_agent assistant"]
    assert said["left"] == []


def test_the_page_is_true(traced):
    """The snippets of the page run, and the tree it shows is what comes."""
    said = traced["page"]
    [tree] = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "\n".join(said["tree"]) == tree.strip("\n")
    assert said["model_calls"] == said["log"] != []
