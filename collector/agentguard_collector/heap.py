"""How memory is kept: what was freed, by the C library; what stays, from garbage collections."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

__all__ = ["collect_rarely", "keep_freed_memory", "leave_out_of_collections"]

# Of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MIB = 1 << 20


def keep_freed_memory() -> None:
    """Reuse freed memory instead of returning it: up to 64 MiB, in blocks of up to 16 MiB.

    A request body and its parsed form are a few hundred KiB each, which glibc takes from the kernel
    and gives back for every single request; the page faults were an eighth of the collector's work.
    Other C libraries are left alone.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 16 * _MIB)
        mallopt(_M_TRIM_THRESHOLD, 64 * _MIB)


def leave_out_of_collections() -> None:
    """Have garbage collections pass over what is there now, such as modules that were imported.

    Looking through all of it would hold up requests for a tenth of a second each time.
    """
    gc.collect()
    gc.freeze()


def collect_rarely() -> None:
    """Look for garbage once in 20,000 objects more, not in 700.

    A trace of thousands of spans is as many objects at once, and none of them garbage.
    """
    gc.set_threshold(20_000, 20, 20)
