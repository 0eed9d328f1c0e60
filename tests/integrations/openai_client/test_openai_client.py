"""The `openai` client."""

import pytest

from tests.integrations.openai_client.runaways import FORMS
from tests.integrations.stopping import check_stopped

MODULE = "tests.integrations.openai_client.runaways"


@pytest.mark.parametrize("guard", ["loop", "budget", "deadline"])
@pytest.mark.parametrize("form", FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, with nothing sent afterwards and every token counted."""
    check_stopped(outcomes_of(None, MODULE)[form, guard])
