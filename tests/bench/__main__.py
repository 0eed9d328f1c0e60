"""Benchmarks: `python -m tests.bench [--json] [--spans N] [--rounds N] [NAME ...]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from rich.console import Console

from tests.bench import guards, ingest, instrumentors, reading, sdk, shared
from tests.bench.figures import Figure, table

# Each takes the spans of a round and the number of rounds.
BENCHES: dict[str, Callable[[int, int], list[Figure]]] = {
    "ingest": ingest.ingest,
    "sustained": ingest.sustained,
    "latency": ingest.latency,
    "disk": ingest.disk,
    "sdk": sdk.sdk,
    "guards": guards.run,
    "shared": shared.shared,
    "instrumentors": instrumentors.instrumentors,
    "reading": reading.reading,
}
SPANS = {
    "ingest": 100_000,
    "sustained": 300_000,
    "latency": 100_000,
    "disk": 30_000,
    "sdk": 0,
    "guards": 0,
    "shared": 0,
    "instrumentors": 300,
    "reading": 10_000_000,
}


def main() -> int:
    """Run the benches that were named, or all; return 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--spans", type=int, help="spans of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHES):
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    progress = Console(stderr=True)
    figures: list[Figure] = []
    for name in arguments.names or BENCHES:
        with progress.status(f"{name} ..."):
            figures += BENCHES[name](arguments.spans or SPANS[name], arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps([figure.as_json() for figure in figures], indent=2) + "\n")
    else:
        Console().print(table(figures))
    return int(any(figure.reached is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
