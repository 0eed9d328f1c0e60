"""What a project sent in a month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.usage import usage_of_month
from tests.storage.queries.known_spans import Known, known_spans, requests

PROJECT = "prj_usage"
SPANS = known_spans(13)
SECOND = 10**9


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known spans, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(14)]), project="prj_other_usage")
    return store.reader(PROJECT)


def day_of(span: Known, zone: str) -> date:
    """The day that a span started on."""
    return datetime.fromtimestamp(span.start_ns // SECOND, ZoneInfo(zone)).date()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_a_month_has_its_spans_by_day(reader, zone):
    """Every day of the month is there, and together they are the month."""
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    usage = usage_of_month(reader, now=now, timezone=zone)
    of_march = [span for span in SPANS if day_of(span, zone).month == 3]
    assert (usage.current_month, usage.event_count) == ("2026-03", len(of_march))
    assert usage.tokens == sum(span.tokens for span in of_march)
    assert [day.day for day in usage.by_day] == [date(2026, 3, n) for n in range(1, 32)]
    for day in usage.by_day:
        spans = [span for span in of_march if day_of(span, zone) == day.day]
        assert (day.event_count, day.error_count, day.model_calls) == (
            len(spans),
            sum(span.status == "error" for span in spans),
            sum(span.kind == "llm" for span in spans),
        )
    assert usage.cost == sum(day.cost for day in usage.by_day if day.cost is not None)


def test_the_first_and_the_last_hour_are_known(reader):
    """They are of all that was ever sent, not of the month."""
    usage = usage_of_month(reader, now=datetime(2026, 9, 1, tzinfo=UTC))
    assert usage.event_count == 0
    hours = sorted(span.start_ns // (3_600 * SECOND) * 3_600 for span in SPANS)
    assert usage.first_at == datetime.fromtimestamp(hours[0], UTC)
    assert usage.last_at == datetime.fromtimestamp(hours[-1], UTC)


def test_a_project_without_spans_used_nothing(store, project):
    """Figures are zero, and times unknown."""
    usage = usage_of_month(store.reader(project), now=datetime(2026, 9, 1, tzinfo=UTC))
    assert (usage.event_count, usage.cost, usage.first_at, usage.last_at) == (0, 0, None, None)
    assert usage.ends_at - usage.starts_at == timedelta(days=30)


def test_plan_and_limits_are_the_askers(reader):
    """They are handed through; nobody is limited unless told so."""
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert usage_of_month(reader, now=now).plan == "self-hosted"
    assert usage_of_month(reader, now=now).event_limit is None
    usage = usage_of_month(reader, now=now, plan="team", event_limit=5, retention_days=30)
    assert (usage.plan, usage.event_limit, usage.retention_days) == ("team", 5, 30)


def test_an_unknown_time_zone_is_refused(reader):
    """It is told, with the parameter."""
    with pytest.raises(InvalidQuery) as refused:
        usage_of_month(reader, now=datetime.now(UTC), timezone="Europe/Atlantis")
    assert refused.value.where == "timezone"
