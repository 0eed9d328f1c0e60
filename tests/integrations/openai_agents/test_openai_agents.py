"""The OpenAI Agents SDK."""

from tests.integrations.stopping import check_stopped, check_traced, each_runaway

GROUP = "openai-agents"
FORMS = ["sync", "async", "stream", "parallel", "agent as a tool", "swallowing", "own model"]
TREE = """
invoke_workflow Agent workflow
  invoke_agent Triage Agent
    chat gpt-5.6-luna
    handoff from Triage Agent to History Tutor
  invoke_agent History Tutor
    chat gpt-5.6-luna
"""


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, and its caller gets the guard's own exception."""
    outcome = outcomes_of(GROUP, "tests.integrations.openai_agents.runaways")[form, guard]
    check_stopped(outcome)
    names = {"loop": "LoopDetected", "budget": "BudgetExceeded", "deadline": "TimeoutExceeded"}
    swallows = form == "swallowing" and guard != "deadline"
    assert outcome.raised == (None if swallows else names[guard])


def test_the_quickstart_is_one_trace(traced):
    """The published example: a tree of agents and a handoff, every token counted."""
    check_traced(traced(GROUP, "tests/integrations/openai_agents/quickstart.py"), TREE)
