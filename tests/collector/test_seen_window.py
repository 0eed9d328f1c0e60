"""The window of known spans: exact, shared, bounded, and gone after a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agentguard_collector.otlp import Traces
from agentguard_collector.seen import Seen, project_prefix


def open_window(folder: Path, *, spans: int = 1000, seconds: float = 3600) -> Seen:
    """Open the window of a folder."""
    return Seen(folder / "seen", max_spans=spans, max_seconds=seconds)


def batch(spans: int, *, traces: int = 1, project: str = "prj_a") -> Traces:
    """Make the ids of new spans, `spans` of each of some new traces."""
    return {
        project_prefix(project) + os.urandom(16): [os.urandom(8) for _ in range(spans)]
        for _ in range(traces)
    }


def keys(traces: Traces) -> set[bytes]:
    """Return the full keys of spans."""
    return {trace + span for trace, ids in traces.items() for span in ids}


def test_new_spans_are_new_and_known_ones_are_known(tmp_path: Path) -> None:
    """Only keys that another record claimed are taken, also across a restart."""
    first, second = batch(3, traces=2), batch(5)
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim(first, b"owner--1") is None
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim(second | first, b"owner--2") == keys(first)
        assert claims.claim(first, b"owner--1") is None


def test_the_rest_of_a_trace_is_new_as_a_whole(tmp_path: Path) -> None:
    """Spans that come after others of their trace are kept as they were sent, not taken apart."""
    (trace,) = batch(0)
    with open_window(tmp_path) as window:
        for owner, span in enumerate((b"span---1", b"span---2", b"span---3")):
            with window.claims() as claims:
                assert claims.claim({trace: [span]}, b"owner--%d" % owner) is None


def test_a_span_that_repeats_in_its_batch_is_noticed(tmp_path: Path) -> None:
    """A batch is only called new as a whole when its spans are distinct."""
    (trace,) = batch(0)
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim({trace: [b"span---1", b"span---1"]}, b"owner--1") == set()


# Few traces and spans, so that batches overlap in every way.
_pieces = st.dictionaries(
    st.sampled_from([project_prefix(f"prj_{n}") + bytes([n] * 16) for n in range(3)]),
    st.lists(st.integers(0, 5).map(lambda n: b"span---%d" % n), min_size=1, unique=True),
    min_size=1,
)


@given(st.lists(_pieces, min_size=1, max_size=8))
def test_whatever_came_before_each_span_has_one_owner(batches: list[Traces]) -> None:
    """However batches overlap, a span is taken exactly when an earlier batch brought it."""
    import tempfile

    owners: dict[bytes, int] = {}
    with tempfile.TemporaryDirectory() as folder, open_window(Path(folder)) as window:
        for number, traces in enumerate(batches):
            with window.claims() as claims:
                taken = claims.claim(traces, b"owner--%d" % number)
            known = {key for key in keys(traces) if key in owners}
            assert (taken or set()) == known
            owners |= dict.fromkeys(keys(traces) - known, number)
        for number, traces in enumerate(batches):
            with window.claims() as claims:
                taken = claims.claim(traces, b"owner--%d" % number)
            assert (taken or set()) == {key for key in keys(traces) if owners[key] != number}


def test_one_project_s_spans_do_not_hide_another_s(tmp_path: Path) -> None:
    """The same ids in another project are other spans."""
    trace, span = os.urandom(16), os.urandom(8)
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim({project_prefix("prj_a") + trace: [span]}, b"owner--1") is None
        assert claims.claim({project_prefix("prj_b") + trace: [span]}, b"owner--2") is None


def test_an_aborted_claim_leaves_nothing(tmp_path: Path) -> None:
    """When the log could not be written, the spans are as new as before."""
    some = batch(5)
    with open_window(tmp_path) as window:
        with suppress(OSError), window.claims() as claims:
            claims.claim(some, b"owner--1")
            raise OSError("full")
        with window.claims() as claims:
            assert claims.claim(some, b"owner--2") is None


def test_the_window_is_bounded_by_count(tmp_path: Path) -> None:
    """A full generation becomes the old one, which is asked and then forgotten."""
    batches = [batch(100) for _ in range(4)]
    with open_window(tmp_path, spans=100) as window:
        for number, traces in enumerate(batches):
            with window.claims() as claims:
                assert claims.claim(traces, b"owner--%d" % number) is None
        with window.claims() as claims:
            assert claims.claim(batches[3], b"owner--x") == keys(batches[3])
            assert claims.claim(batches[0], b"owner--x") is None


def test_the_window_is_bounded_by_age(tmp_path: Path) -> None:
    """Generations turn with time, too."""
    first = batch(3)
    with open_window(tmp_path, seconds=0) as window:
        for traces in (first, batch(1), batch(1)):
            with window.claims() as claims:
                claims.claim(traces, b"owner--1")
        with window.claims() as claims:
            assert claims.claim(first, b"owner--x") is None


def test_the_old_generation_can_be_given_up_early(tmp_path: Path) -> None:
    """When space runs out all the same, the oldest spans are forgotten first."""
    old, current = batch(10), batch(10)
    with open_window(tmp_path) as window:
        for traces in (old, current):
            with window.claims() as claims:
                claims.claim(traces, b"owner--1")
            window.make_room()
        with window.claims() as claims:
            assert claims.claim(old | current, b"owner--2") == keys(current)


def test_a_power_cut_clears_the_window(tmp_path: Path) -> None:
    """What was not synced before a reboot is not trusted."""
    some = batch(3)
    with open_window(tmp_path) as window, window.claims() as claims:
        claims.claim(some, b"owner--1")
    (tmp_path / "seen" / "boot_id").write_text("another boot")
    with open_window(tmp_path) as window:
        assert window.rebuilt
        with window.claims() as claims:
            assert claims.claim(some, b"owner--2") is None
