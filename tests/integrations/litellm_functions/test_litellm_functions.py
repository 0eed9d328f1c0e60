"""LiteLLM."""

from tests.integrations.stopping import check_stopped, each_runaway

MODULE = "tests.integrations.litellm_functions.runaways"
FORMS = ["sync", "own client", "stream", "parallel", "async", "async stream", "fallbacks"]


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, through retries and fallbacks, whoever's client it is."""
    check_stopped(outcomes_of("litellm", MODULE)[form, guard])
