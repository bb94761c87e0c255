"""The curves of first and second order on images, every method tuned alike: loss over epochs and time, test error, time to a loss.

    python3 curves.py OUT --data faces=FOLDER --data bone-age=FOLDER [--model resnet32 --model cnn:16,32,64:relu]
        [--methods gram-gauss-newton,sgd] [--seeds 3] [--minutes 2.5]

For each set and network every method is tuned once by `gramstep compare --tune` (successive halving over learning rate, momentum,
damping and schedule: three to four times as long as a run), then trained from so many seeds with what was found. Each of these jobs
leaves OUT/jobs/NAME.json when it is done and is passed over when that is there: end the script when you like and start it again. Run it
alone on the machine: the curves are over time. `--jobs N` ends it after N jobs, `--list` shows what is left.

At the end OUT/table.md has medians over the seeds with their range, and `gramstep report OUT/runs/..` draws the runs over each other.
Faces come in the layout of AFAD (AFAD-Lite: give its folder), radiographs in that of the RSNA challenge (give its folder, --target
boneage). Python's standard library alone.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

METHODS = ("gram-gauss-newton", "sgd", "adam", "adamw")


def command(of, name, method, model, extra):
    target = ["--target", "boneage"] if "bone" in name else []
    return [
        of.program, "compare", "--data", of.data[name], *target, "--optimizers", method, "--model", model,
        "--augment", of.augment, "--image-size", str(of.size[name]), "--json", "--quiet", *extra,
    ]  # fmt: skip


def tuned(job):
    """The settings that a tuning found: those of the best trial of its last round."""
    trials = job["trials"]
    last = max(trial["share"] for trial in trials)
    done = [trial for trial in trials if trial["share"] == last and trial["validation_loss"] is not None]
    best = min(done, key=lambda trial: trial["validation_loss"])
    options = ["--learning-rate", repr(best["learning_rate"]), "--momentum", repr(best["momentum"]), "--schedule", best["schedule"]]
    if best.get("damping") is not None:
        options += ["--damping", str(best["damping"])]
    return options


def jobs(of):
    """Every job in order: its name and what makes its command, from the jobs before."""
    limit = f"{60 * of.minutes}s"
    for name in of.data:
        for model in of.model:
            for method in of.methods:
                key = f"{name}+{model.replace(':', '-').replace(',', '-')}+{method}"
                tune = f"{key}+tune"
                yield tune, lambda n=name, m=method, a=model: command(of, n, m, a, ["--tune", "--time-limit", limit])
                for seed in range(of.seeds):
                    run = of.out / "runs" / f"{key}+{seed}"

                    def train(n=name, m=method, a=model, s=seed, t=tune, run=run):
                        shutil.rmtree(run, ignore_errors=True)
                        extra = ["--seed", str(s), "--time-limit", limit, "--out", str(run), *tuned(read(of, t))]
                        return command(of, n, m, a, extra)

                    yield f"{key}+{seed}", train


def read(of, job):
    return json.loads((of.out / "jobs" / f"{job}.json").read_text())


def curve(of, job, method):
    lines = (of.out / "runs" / job / method / "record.jsonl").read_text().splitlines()
    return [epoch for epoch in map(json.loads, lines) if epoch["kind"] == "epoch"]


def table(of):
    """Medians over the seeds; seconds until the lowest training loss that sgd and adam reach in their whole run."""
    rows = ["| data | network | method | training loss | test loss | test error | s to sgd's | s to adam's |", "|---|---|---|---|---|---|---|---|"]
    spread = lambda values: f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})" if values else "–"
    for name in of.data:
        for model in of.model:
            key = f"{name}+{model.replace(':', '-').replace(',', '-')}"
            curves = {}
            for method in of.methods:
                done = [f"{key}+{method}+{seed}" for seed in range(of.seeds)]
                done = [job for job in done if (of.out / "jobs" / f"{job}.json").exists()]
                curves[method] = [(read(of, job)["runs"][0], curve(of, job, method)) for job in done]
            lowest = {
                method: statistics.median(min(epoch["train_loss"] for epoch in epochs) for _, epochs in of_method)
                for method, of_method in curves.items()
                if of_method and all(epochs for _, epochs in of_method)
            }
            for method, of_method in curves.items():
                reports = [report for report, _ in of_method if "test" in report]
                seconds = lambda goal: [
                    next((epoch["seconds"] for epoch in epochs if epoch["train_loss"] <= goal), float("inf")) for _, epochs in of_method
                ]
                error = lambda report: report["test"].get("mae", report["test"].get("accuracy"))
                cells = [
                    spread([min(epoch["train_loss"] for epoch in epochs) for _, epochs in of_method if epochs]),
                    spread([report["test"]["loss"] for report in reports]),
                    spread([error(report) for report in reports]),
                    *(spread(seconds(lowest[goal])) if goal in lowest else "–" for goal in ("sgd", "adam")),
                ]
                rows.append(f"| {name} | {model} | {method} | " + " | ".join(cells) + " |")
    (of.out / "table.md").write_text("\n".join(rows) + "\n")


def pairs(texts, kind=str):
    return {name: kind(value) for name, _, value in (text.partition("=") for text in texts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--data", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--model", action="append", help="resnet32 and a small network unless given")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=PIXELS", help="32 unless given; 64 of bone-age")
    parser.add_argument("--methods", default=",".join(METHODS), type=lambda text: text.split(","))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--augment", default="flip,shift:2")
    parser.add_argument("--program", default="gramstep")
    parser.add_argument("--jobs", type=int, default=sys.maxsize)
    parser.add_argument("--list", action="store_true")
    of = parser.parse_args()
    of.model = of.model or ["resnet32", "cnn:16,32,64:relu"]
    of.data = pairs(of.data)
    of.size = {name: 64 if "bone" in name else 32 for name in of.data} | pairs(of.size, int)
    (of.out / "jobs").mkdir(parents=True, exist_ok=True)
    (of.out / "runs").mkdir(exist_ok=True)
    left = [(job, make) for job, make in jobs(of) if not (of.out / "jobs" / f"{job}.json").exists()]
    if of.list:
        print("\n".join(job for job, _ in left))
        return
    for job, make in left[: of.jobs]:
        began = time.monotonic()
        done = subprocess.run(make(), stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"curves.py: {job} ended with {done.returncode}; start the script again to go on")
        part = of.out / "jobs" / f"{job}.part"
        part.write_text(done.stdout)
        part.rename(of.out / "jobs" / f"{job}.json")
        print(f"{job}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    table(of)


if __name__ == "__main__":
    main()
