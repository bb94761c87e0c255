"""Reads the JSON lines of run.sh from stdin and prints each operation's median, and how many times as long as
gramstep's operation of the same case it takes (above 1: gramstep is faster)."""

import json
import sys

SAME = ("dtype", "n", "threads")


def main():
    operations = [json.loads(line) for line in sys.stdin if line.startswith("{")]
    ours = [operation for operation in operations if "peer" not in operation["config"]]
    rows = [("operation", "", "by", "median ms", "/ gramstep")]
    for operation in sorted(operations, key=lambda operation: (case_of(operation), operation not in ours)):
        config = operation["config"]
        reference = reference_of(operation, ours)
        rows.append((
            operation["op"],
            " ".join(f"{key}={config[key]}" for key in SAME if key in config),
            " ".join([config.get("peer", "gramstep"), config.get("version", "")]),
            f"{1e3 * operation['median_s']:.2f}",
            f"{operation['median_s'] / reference['median_s']:.2f}" if reference else "-",
        ))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for *texts, median, ratio in rows:
        left = [text.ljust(width) for text, width in zip(texts, widths)]
        print("  ".join(left + [median.rjust(widths[-2]), ratio.rjust(widths[-1])]))


def reference_of(operation, ours):
    """The first line of gramstep for the same case and sizes; where a case has several operations, the one of the same
    name, as sgd is for torch-sgd."""
    if operation in ours:
        return operation
    candidates = [candidate for candidate in ours if comparable(operation, candidate)]
    named = [candidate for candidate in candidates if operation["op"].endswith(candidate["op"].rpartition("/")[2])]
    return next(iter(named + candidates), None)


def comparable(a, b):
    """Same case, and no difference in a size that both name."""
    shared = [key for key in SAME if key in a["config"] and key in b["config"]]
    return case_of(a) == case_of(b) and all(a["config"][key] == b["config"][key] for key in shared)


def case_of(operation):
    return operation["op"].partition("/")[0]


if __name__ == "__main__":
    main()
