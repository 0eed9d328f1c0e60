"""The `anthropic` client."""

from tests.integrations.anthropic_client.runaways import FORMS
from tests.integrations.stopping import check_stopped, each_runaway

MODULE = "tests.integrations.anthropic_client.runaways"


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, with nothing sent afterwards and every token counted.

    The client's own spans do not count a second time.
    """
    check_stopped(outcomes_of(None, MODULE)[form, guard])
