"""What every peer script shares: the command line, the clock and the one JSON line a measured operation."""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Callable

WARM_UP_ROUNDS = 3


@dataclass
class Operation:
    """`body` does the whole operation once and returns only when its result is there."""

    op: str
    config: dict
    body: Callable[[], object]


def measure(operations, repeats):
    """Times the operations in turn, round after round, so that all of them see the same state of the machine."""
    for _ in range(min(WARM_UP_ROUNDS, repeats)):
        for operation in operations:
            operation.body()
    seconds = [[] for _ in operations]
    for _ in range(repeats):
        for operation, times in zip(operations, seconds):
            start = time.perf_counter()
            operation.body()
            times.append(time.perf_counter() - start)
    for operation, times in zip(operations, seconds):
        print(json.dumps({
            "op": operation.op,
            "config": operation.config,
            "median_s": statistics.median(times),
            "min_s": min(times),
            "max_s": max(times),
            "repeats": repeats,
        }), flush=True)


def parse_arguments(description, cases, extend=lambda parser: None):
    """The common command line; cases that the script has no peer for are dropped with a word on stderr."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("cases", nargs="+", metavar="CASE", help="known here: " + ", ".join(cases))
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--repeats", type=positive, default=20)
    extend(parser)
    arguments = parser.parse_args()
    for case in arguments.cases:
        if case not in cases:
            print(f"{parser.prog}: no peer for '{case}'", file=sys.stderr)
    arguments.cases = [case for case in arguments.cases if case in cases]
    return arguments


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def keep_to_cores(count):
    """Leaves this process `count` cores, for libraries that start one thread a core; threads already there keep theirs,
    so call it before the first computation."""
    allowed = sorted(os.sched_getaffinity(0))
    if count > len(allowed):
        sys.exit(f"--threads {count}: this process may use {len(allowed)} cores")
    os.sched_setaffinity(0, allowed[:count])
