"""`agentguard doctor`: what it finds, in order, with advice."""

import json

from tests.stack import run_cli


def states(result) -> dict[str, str]:
    """Each check's state, by its name."""
    return {check["name"]: check["state"] for check in json.loads(result.stdout)}


def test_a_running_stack_is_healthy(stack):
    """With everything running no check is broken and the exit code is 0."""
    result = stack.cli("doctor", "--json")
    found = states(result)
    assert result.returncode == 0, result.stdout
    assert "broken" not in found.values()
    for name in ("collector", "api key", "clickhouse", "control plane", "clock", "disk"):
        assert found[name] == "ok", result.stdout


def test_a_refused_key_is_broken_with_advice(stack):
    """A wrong key is found out by using it, and the way to another one is told."""
    wrong = "agk_" + "0" * 12 + "_" + "1" * 38
    result = stack.cli("doctor", AGENTGUARD_ENDPOINT=stack.otlp_http, AGENTGUARD_API_KEY=wrong)
    assert result.returncode == 1
    assert "refused (401)" in result.stdout
    assert "agentguard keys create" in result.stdout
    assert wrong not in result.stdout + result.stderr


def test_settings_name_their_sources_and_no_secret(stack):
    """Each setting that somebody made is shown with the variable it comes from."""
    result = stack.cli(
        "doctor", AGENTGUARD_API_KEY=stack.api_key, OTEL_EXPORTER_OTLP_ENDPOINT=stack.otlp_http
    )
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in result.stdout
    assert "AGENTGUARD_API_KEY" in result.stdout
    assert stack.api_key not in result.stdout


def test_nothing_running_is_broken_with_advice(tmp_path):
    """Where nothing runs, each missing part is named with the command that starts it."""
    result = run_cli(
        "doctor",
        "--json",
        f"--data-dir={tmp_path}",
        AGENTGUARD_ENDPOINT="http://127.0.0.1:1",
    )
    found = states(result)
    assert result.returncode == 1
    assert (found["collector"], found["clickhouse"]) == ("broken", "broken")
    assert "agentguard up" in result.stdout
    assert "Traceback" not in result.stderr


def test_unusable_setting_is_one_line(tmp_path):
    """A setting that cannot be read is named with its source instead of a traceback."""
    result = run_cli("doctor", f"--data-dir={tmp_path}", AGENTGUARD_ENDPOINT="localhost")
    assert result.returncode == 1
    assert "AGENTGUARD_ENDPOINT" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
