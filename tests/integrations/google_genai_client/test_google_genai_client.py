"""The `google-genai` client."""

from tests.integrations.stopping import check_stopped, each_runaway

MODULE = "tests.integrations.google_genai_client.runaways"
FORMS = ["sync", "stream", "tools", "parallel", "async", "async stream"]


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, also where the client calls functions by itself."""
    check_stopped(outcomes_of("litellm", MODULE)[form, guard])
