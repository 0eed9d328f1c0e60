"""The window of known spans: exact, shared, bounded, and gone after a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agentguard_collector.seen import Seen, project_prefix


def open_window(folder: Path, *, spans: int = 1000, seconds: float = 3600) -> Seen:
    """Open the window of a folder."""
    return Seen(folder / "seen", max_spans=spans, max_seconds=seconds)


def keys(count: int, project: str = "prj_a") -> list[bytes]:
    """Make keys of new spans."""
    return [project_prefix(project) + os.urandom(24) for _ in range(count)]


def test_new_spans_are_new_and_known_ones_are_known(tmp_path: Path) -> None:
    """Only keys that another record claimed are taken, also across a restart."""
    first, second = keys(5), keys(5)
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim(first, b"owner--1") is None
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim([*second, *first], b"owner--2") == set(first)
        assert claims.claim(first, b"owner--1") == set()


def test_one_project_s_spans_do_not_hide_another_s(tmp_path: Path) -> None:
    """The same ids in another project are other spans."""
    ids = os.urandom(24)
    with open_window(tmp_path) as window, window.claims() as claims:
        assert claims.claim([project_prefix("prj_a") + ids], b"owner--1") is None
        assert claims.claim([project_prefix("prj_b") + ids], b"owner--2") is None


def test_an_aborted_claim_leaves_nothing(tmp_path: Path) -> None:
    """When the log could not be written, the spans are as new as before."""
    some = keys(5)
    with open_window(tmp_path) as window:
        with suppress(OSError), window.claims() as claims:
            claims.claim(some, b"owner--1")
            raise OSError("full")
        with window.claims() as claims:
            assert claims.claim(some, b"owner--2") is None


def test_the_window_is_bounded_by_count(tmp_path: Path) -> None:
    """A full generation becomes the old one, which is asked and then forgotten."""
    batches = [keys(100) for _ in range(4)]
    with open_window(tmp_path, spans=100) as window:
        for number, batch in enumerate(batches):
            with window.claims() as claims:
                assert claims.claim(batch, b"owner--%d" % number) is None
        with window.claims() as claims:
            assert claims.claim(batches[3], b"owner--x") == set(batches[3])
            assert claims.claim(batches[0], b"owner--x") is None


def test_the_window_is_bounded_by_age(tmp_path: Path) -> None:
    """Generations turn with time, too."""
    batch = keys(3)
    with open_window(tmp_path, seconds=0) as window:
        for _ in range(3):
            with window.claims() as claims:
                claims.claim(batch if _ == 0 else keys(1), b"owner--%d" % _)
        with window.claims() as claims:
            assert claims.claim(batch, b"owner--x") is None


def test_the_old_generation_can_be_given_up_early(tmp_path: Path) -> None:
    """When space runs out, the oldest spans are forgotten first."""
    old, current = keys(10), keys(10)
    with open_window(tmp_path) as window:
        for batch in (old, current):
            with window.claims() as claims:
                claims.claim(batch, b"owner--1")
            window.make_room()
        with window.claims() as claims:
            assert claims.claim([*old, *current], b"owner--2") == set(current)


def test_a_power_cut_clears_the_window(tmp_path: Path) -> None:
    """What was not synced before a reboot is not trusted."""
    some = keys(3)
    with open_window(tmp_path) as window, window.claims() as claims:
        claims.claim(some, b"owner--1")
    (tmp_path / "seen" / "boot_id").write_text("another boot")
    with open_window(tmp_path) as window:
        assert window.rebuilt
        with window.claims() as claims:
            assert claims.claim(some, b"owner--2") is None
