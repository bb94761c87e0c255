//! `train --distributed`: two processes that `mpirun` starts.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Bench, Run, smooth_table};

/// How long a broken job may take to end.
const SOON: Duration = Duration::from_secs(10);

impl Bench {
    /// Containers run as root, on fewer processors than processes.
    fn mpirun(&self, arguments: &str) -> Command {
        let mut command = Command::new("mpirun");
        command
            .current_dir(self.folder.path())
            .args("--allow-run-as-root --oversubscribe --bind-to none".split(' '))
            .args(arguments.replace("gramstep", env!("CARGO_BIN_EXE_gramstep")).split_whitespace());
        command
    }

    fn mpirun_output(&self, arguments: &str) -> Run {
        let [out, err] = ["mpirun.out", "mpirun.err"].map(|name| File::create(self.path(name)).unwrap());
        let mut job = self.mpirun(arguments).stdout(out).stderr(err).spawn().expect("mpirun is installed");
        let code = ended(&mut job, Duration::from_mins(2));
        let [stdout, stderr] =
            ["mpirun.out", "mpirun.err"].map(|name| std::fs::read_to_string(self.path(name)).unwrap());
        Run { code: code.unwrap_or(STUCK), stdout, stderr }
    }
}

/// In place of the exit code of an `mpirun` that hangs when everything is over: that of Open MPI 4.1 waits for itself in
/// `PMIx_server_finalize`, once in some fifty jobs that were cut off.
const STUCK: i32 = i32::MIN;

/// The exit code of a job that ends within `limit`; none if its processes do, but `mpirun` is stuck.
#[track_caller]
fn ended(job: &mut Child, limit: Duration) -> Option<i32> {
    let (start, mut seen) = (Instant::now(), processes(job));
    loop {
        if let Some(status) = job.try_wait().unwrap() {
            return Some(status.code().unwrap_or(STUCK));
        }
        let now = processes(job);
        seen.extend(now.iter().filter(|process| !seen.contains(process)).cloned().collect::<Vec<_>>());
        if start.elapsed() > limit {
            assert!(!seen.is_empty() && !now.iter().any(|process| is_alive(process)), "processes still run");
            job.kill().unwrap();
            job.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; a zombie has ended.
fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn ended_with(run: &Run, code: i32) {
    assert!(run.code == code || run.code == STUCK, "{} in place of {code}\n{}", run.code, run.stderr);
}

/// The losses of every epoch.
fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("record.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["kind"] == "epoch")
        .flat_map(|line| ["train_loss", "validation_loss"].map(|name| line[name].as_f64().unwrap()))
        .collect()
}

fn model(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model.safetensors")).unwrap()
}

#[test]
fn two_processes_make_the_run_of_one() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(90));
    for (name, method) in [
        ("full", "--momentum 0"),
        ("mini-batch", "--batch-size 20"),
        ("adam", "--optimizer adam --batch-size 20"),
        ("ensemble", "--optimizer sgd --ensemble 2"),
        ("adversarial", "--batch-size 30 --adversarial linf:0.05:pgd:3"),
    ] {
        let settings =
            format!("train --data t.csv --model mlp:24:gelu --precision f64 --epochs 8 --threads 1 {method}");
        let alone = bench.run(&format!("{settings} --json --out {name}-1"));
        assert_eq!(alone.code, 0, "{}", alone.stderr);
        let two = bench.mpirun_output(&format!("-n 2 gramstep {settings} --distributed --json --out {name}-2"));
        ended_with(&two, 0);
        assert!(two.stderr.contains("2 processes with 1 thread each"), "{}", two.stderr);
        let report: Value = serde_json::from_str(&two.stdout).expect("one JSON object, of the first process");
        assert_eq!(report["run"].as_str().unwrap(), format!("{name}-2"));
        let [one, two] = [1, 2].map(|count| losses(&bench.path(&format!("{name}-{count}"))));
        assert!(one.len() >= 16 && one.len() == two.len(), "{name}: {} {}", one.len(), two.len());
        for (a, b) in one.iter().zip(&two) {
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{name}: {a} {b}");
        }
        assert_eq!(bench.run(&format!("predict {name}-2 --data t.csv --quiet")).code, 0);
    }
}

#[test]
fn the_first_process_chooses_and_the_others_wait() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    let settings = "train --data t.csv --ensemble 1 --patience 2 --threads 1";
    let two = bench.mpirun_output(&format!("-n 2 gramstep {settings} --distributed --json --out two"));
    ended_with(&two, 0);
    assert!(two.stderr.contains("the model is mlp:"), "{}", two.stderr);
}

#[test]
fn what_ends_one_process_ends_all_and_is_told_once() {
    let bench = Bench::new();
    for folder in ["a", "b"] {
        std::fs::create_dir(bench.path(folder)).unwrap();
    }
    bench.write("a/t.csv", smooth_table(60));
    let start = Instant::now();
    let in_two = |first: &str, second: &str, options: &str| {
        let part = |folder: &str| format!("-wdir {} -n 1 gramstep train --distributed {options}", path(&bench, folder));
        bench.mpirun_output(&format!("{} : {}", part(first), part(second)))
    };
    let wrong = in_two("a", "a", "--data t.csv --learning-rate -1");
    ended_with(&wrong, 2);
    assert_eq!(wrong.stderr.matches("error: learning-rate").count(), 1, "{}", wrong.stderr);
    let missing = in_two("a", "b", "--data t.csv --epochs 3");
    ended_with(&missing, 1);
    assert!(missing.stderr.contains("process 1 of 2 failed:\nerror: cannot read t.csv"), "{}", missing.stderr);
    bench.write("b/t.csv", smooth_table(60).replacen('1', "2", 1));
    let other = in_two("a", "b", "--data t.csv --epochs 3");
    ended_with(&other, 1);
    assert!(other.stderr.contains("process 1 has other data"), "{}", other.stderr);
    let kernel = in_two("a", "a", "--data t.csv --model ntk:relu");
    ended_with(&kernel, 2);
    assert!(kernel.stderr.contains("gramstep kernel --tile"), "{}", kernel.stderr);
    assert!(start.elapsed() < 4 * SOON, "{:?}", start.elapsed());
    let forgotten = bench.mpirun_output("-n 2 gramstep train --data a/t.csv --epochs 3");
    ended_with(&forgotten, 2);
    assert!(forgotten.stderr.contains("distributed"), "{}", forgotten.stderr);
    assert!(!bench.path("runs").exists());
}

fn path(bench: &Bench, name: &str) -> String {
    bench.path(name).display().to_string()
}

/// A long job on two processes, once it has a checkpoint.
fn started(bench: &Bench, arguments: &str, run: &str) -> Child {
    let mut command = bench.mpirun(&format!("-n 2 gramstep {arguments}"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mpirun is installed");
    let start = Instant::now();
    while !bench.path(run).join("checkpoint.json").exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "no checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// The processes that an `mpirun` started.
fn processes(mpirun: &Child) -> Vec<String> {
    let id = mpirun.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    children.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_killed_process_ends_the_job_and_no_checkpoint_is_lost() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(90));
    let kills: u64 = std::env::var("GRAMSTEP_KILLS").map_or(3, |text| text.parse().unwrap());
    let epochs = 400 * kills;
    let settings = format!(
        "train --distributed --data t.csv --model mlp:24:gelu --epochs {epochs} --patience 100000 --batch-size 20"
    );
    let whole = bench.mpirun_output(&format!("-n 2 gramstep {settings} --quiet --out whole"));
    ended_with(&whole, 0);
    let mut arguments = format!("{settings} --out cut");
    for kill in 0..kills {
        let mut job = started(&bench, &arguments, "cut");
        std::thread::sleep(Duration::from_millis(100 + kill * 77 % 300));
        let ranks = processes(&job);
        assert_eq!(ranks.len(), 2);
        Command::new("kill").args(["-KILL", &ranks[kill as usize % 2]]).status().unwrap();
        assert_ne!(ended(&mut job, SOON), Some(0), "killed on the way");
        "train --distributed --resume cut".clone_into(&mut arguments);
    }
    let rest = bench.mpirun_output(&format!("-n 2 gramstep {arguments} --quiet"));
    ended_with(&rest, 0);
    assert!(model(&bench.path("cut")) == model(&bench.path("whole")), "other parameters than undisturbed");
    assert_eq!(losses(&bench.path("cut")), losses(&bench.path("whole")));
}

#[test]
fn usr1_keeps_model_and_checkpoint_and_another_number_of_processes_goes_on() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(90));
    let mut job = started(
        &bench,
        "train --distributed --data t.csv --model mlp:24:gelu --optimizer sgd --batch-size full --epochs 1000000 --patience 1000000 --out run",
        "run",
    );
    Command::new("kill").args(["-USR1", &job.id().to_string()]).status().unwrap();
    assert_eq!(ended(&mut job, SOON).unwrap_or(130), 130);
    assert_eq!(bench.run("predict run --data t.csv --quiet").code, 0);
    let done = losses(&bench.path("run")).len() / 2;
    let arguments = format!("train --distributed --resume run --epochs {} --json", done + 5);
    let resumed = bench.mpirun_output(&format!("-n 3 gramstep {arguments}"));
    ended_with(&resumed, 0);
    let report: Value = serde_json::from_str(&resumed.stdout).unwrap();
    assert_eq!(report["epochs"], done + 5);
    assert_eq!(losses(&bench.path("run")).len() / 2, done + 5, "no epoch was lost");
}

/// Folds are scored once; the processes that do not write know that too.
#[test]
fn a_run_with_folds_goes_on_with_the_same_rows_on_all_processes() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let train = "-n 2 gramstep train --distributed --quiet --threads 1";
    let open = "--model mlp:8:tanh --validation 0 --batch-size full --epochs 1000000";
    let began = bench.mpirun_output(&format!("{train} --data t.csv {open} --folds 3 --time-limit 0.3s --out run"));
    ended_with(&began, 0);
    let lines = || std::fs::read_to_string(bench.path("run/record.jsonl")).unwrap().lines().count();
    let before = lines();
    let ended = bench.mpirun_output(&format!("{train} --resume run --time-limit 0.6s"));
    ended_with(&ended, 0);
    assert!(ended.stdout.contains("deviation of 3 folds") && lines() > before, "{}", ended.stdout);
}
