"""The default of `gramstep train` beside the kernel regression of infinitely wide networks on small tables of classes.

    python classes.py --program PROGRAM --folder FOLDER --results FILE.jsonl [--only NAME,..] [--most ROWS] [--folds N]
    python classes.py --results FILE.jsonl --show

FOLDER holds the sets of the UCI repository as the comparison of fernandez2014 prepared them, one folder each:
NAME_R.dat (tabs, standardised, the class in the last column) and conxuntos_kfold.dat (four folds, a line of training rows
and a line of test rows, counted from 0). A result is a line of the file, what is there is not done again. Needs nothing
beside Python.
"""

import argparse
import csv
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

METHODS = {"default": [], "ntk": ["--model", "ntk:depth=3:relu"]}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--program")
    options.add_argument("--folder", type=pathlib.Path)
    options.add_argument("--results", type=pathlib.Path, required=True)
    options.add_argument("--only", default="")
    options.add_argument("--methods", default=",".join(METHODS))
    options.add_argument("--most", type=int, default=10**9, help="rows of a set")
    options.add_argument("--folds", type=int, default=4, help="so many of the four folds of a set")
    options.add_argument("--show", action="store_true")
    options = options.parse_args()
    if options.show:
        return show(read(options.results))
    done = read(options.results)
    for name, header, rows, folds in sets(options.folder, options.most):
        if options.only and name not in options.only.split(","):
            continue
        for method in options.methods.split(","):
            for number, fold in enumerate(folds[: options.folds]):
                if (name, number, method) not in done:
                    entry = judge(shlex.split(options.program), (name, number, method), header, rows, fold)
                    with options.results.open("a") as out:
                        out.write(json.dumps(entry) + "\n")
                    print(entry, file=sys.stderr)
    return show(read(options.results))


def read(path):
    """What is there: (set, fold, method) to its entry; failures are done again."""
    entries = map(json.loads, path.read_text().splitlines() if path.exists() else [])
    return {(one["set"], one["fold"], one["method"]): one for one in entries if one["accuracy"] is not None}


def sets(folder, most):
    """Name, header, rows and folds of every set, small ones first."""
    found = []
    for path in folder.glob("*/*_R.dat"):
        if path.name != f"{path.parent.name}_R.dat":
            continue
        header, *rows = csv.reader(path.open(), delimiter="\t")
        lines = (path.parent / "conxuntos_kfold.dat").read_text().splitlines()
        places = [[int(word) for word in line.split()] for line in lines if line.strip()]
        if len(rows) <= most:
            found.append((path.parent.name, header[1:], [row[1:] for row in rows], list(zip(places[::2], places[1::2]))))
    return sorted(found, key=lambda one: (len(one[2]), one[0]))


def judge(program, of, header, rows, fold):
    """One fit, and the share of its test rows that it tells right."""
    name, number, method = of
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        files = []
        for what, places in zip(("train", "test"), fold):
            path = pathlib.Path(work) / f"{name}-{number}-{what}.csv"
            with path.open("w", newline="") as out:
                # A word before its number, so that a class is a name.
                csv.writer(out).writerows([header] + [rows[i][:-1] + [f"class {rows[i][-1]}"] for i in places])
            files.append(str(path))
        command = ["train", "--data", files[0], "--test", files[1], "--target", header[-1], "--json", "--quiet"]
        run = subprocess.run(program + command + ["--out", f"{work}/run"] + METHODS[method], capture_output=True, text=True)
    entry = {"set": name, "fold": number, "method": method, "rows": len(rows), "accuracy": None, "nll": None}
    if run.returncode == 0:
        report = json.loads(run.stdout)
        entry |= {"accuracy": report["test"]["accuracy"], "nll": report["test"]["nll"]}
        # What the program tells of itself.
        entry["told_nll"] = (report["validation"] or {}).get("nll")
    else:
        print(run.stderr, file=sys.stderr)
    return entry | {"seconds": round(time.perf_counter() - began, 1)}


def show(done):
    """A row a set with the mean accuracy of each method over the folds that all of them did; the means of all sets."""
    names = list(dict.fromkeys(method for _, _, method in done))
    print("| set | rows | " + " | ".join(names) + " |\n|---|" + "---|" * (len(names) + 1))
    means = []
    for name in dict.fromkeys(name for name, _, _ in done):
        folds = {fold for one, fold, _ in done if one == name}
        whole = [fold for fold in folds if all((name, fold, method) in done for method in names)]
        if not whole:
            continue
        mean = [sum(done[name, fold, method]["accuracy"] for fold in whole) / len(whole) for method in names]
        cells = [f"**{100 * own:.2f}**" if own == max(mean) else f"{100 * own:.2f}" for own in mean]
        print(f"| {name} | {next(one['rows'] for key, one in done.items() if key[0] == name)} | " + " | ".join(cells) + " |")
        means.append(mean)
    if means:
        columns = [sum(column) / len(means) for column in zip(*means)]
        print(f"| mean of {len(means)} | | " + " | ".join(f"{100 * mean:.2f}" for mean in columns) + " |")


if __name__ == "__main__":
    main()
