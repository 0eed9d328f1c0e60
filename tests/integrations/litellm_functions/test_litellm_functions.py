"""LiteLLM."""

from tests.integrations.conftest import run_in
from tests.integrations.stopping import check_stopped, each_runaway

MODULE = "tests.integrations.litellm_functions.runaways"
FORMS = ["sync", "own client", "stream", "parallel", "async", "async stream", "fallbacks"]


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, through retries and fallbacks, whoever's client it is."""
    check_stopped(outcomes_of("litellm", MODULE)[form, guard])


def test_a_deadline_that_is_far_off_lengthens_no_time_out(python_with):
    """Whoever set LiteLLM's own to a second waits no minute because a run has one."""
    done = run_in(python_with("litellm"), "-m", "tests.integrations.litellm_functions.timeouts")
    assert done.returncode == 0, done.stderr[-4000:]
    assert 0.5 < float(done.stdout.splitlines()[-1]) < 10
