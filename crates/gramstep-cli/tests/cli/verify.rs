//! `gramstep verify`: verdicts as a table, as JSON and as a page; exit codes; the user's own table.

use crate::{Bench, smooth_table};

#[test]
fn a_claim_that_holds_is_told_as_table_json_and_page() {
    let bench = Bench::new();
    let run = bench.run("verify cai2019-minibatch --seeds 2 --widths 256,2048 --out verdicts");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    assert!(lines[0].starts_with("claim") && lines[1].contains("cai2019-minibatch  holds"), "{}", run.stdout);
    assert!(run.stderr.contains("epoch") && run.stderr.contains("report.html"), "{}", run.stderr);
    let page = std::fs::read_to_string(bench.path("verdicts/report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("predicted") && page.contains("measured"));
    let own = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!own.contains("NaN") && !own.contains("http"));
    let kept = std::fs::read_to_string(bench.path("verdicts/certificates.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let printed = bench.json("verify cai2019-minibatch --seeds 2 --widths 256,2048 --json --quiet");
    let (kept, printed) = (&kept["claims"][0], &printed["claims"][0]);
    for key in ["claim", "source", "verdict", "predicted", "measured", "margin", "assumptions", "constants", "seeds"] {
        assert!(!printed[key].is_null() && printed[key] == kept[key], "{key}");
    }
    assert_eq!(printed["pictures"], kept["pictures"]);
    assert_eq!(printed["seeds"], serde_json::json!([0, 1]));
}

#[test]
fn a_refuted_claim_exits_with_3_and_says_why() {
    let bench = Bench::new();
    let run = bench.run("verify neighbourhood --seeds 2 --widths 12 --quiet");
    assert_eq!((run.code, run.stderr.as_str()), (3, ""), "{}", run.stdout);
    assert!(run.stdout.contains("refuted") && run.stdout.contains("found"), "{}", run.stdout);
}

#[test]
fn assumptions_that_are_not_met_are_no_refutation() {
    let bench = Bench::new();
    let run = bench.run("verify neighbourhood --seeds 2 --widths 1 --quiet");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("assumptions not met") && run.stdout.contains("λ_min"), "{}", run.stdout);
}

#[test]
fn claims_run_on_a_users_table_and_repairs_are_stated() {
    let bench = Bench::new();
    let table = smooth_table(24);
    let first = table.lines().nth(1).unwrap().to_owned();
    bench.write("t.csv", format!("{table}{first}\n"));
    let found = bench.json("verify jacot2018 --data t.csv --seeds 1 --widths 256,1024,4096 --json --quiet");
    let notes = found["notes"].to_string();
    assert!(notes.contains("unit sphere") && notes.contains("1 row has the inputs of another"), "{notes}");
    assert_eq!(found["data"], "t.csv");
    assert!(found["claims"][0]["setting"].as_str().unwrap().contains("n = 24 given points"), "{found}");
    assert!(found["claims"][0]["constants"][0]["value"].as_f64().unwrap() < 0.2);
}

#[test]
fn wrong_use_is_told() {
    let bench = Bench::new();
    bench.fails("verify du2018", 2, &["du2018", "cai2019-quadratic", "hint"]);
    bench.fails("verify du2019 --seeds 0", 2, &["seeds"]);
    bench.fails("verify du2019 --widths 0,8", 2, &["widths"]);
    bench.fails("verify du2019 --data none.csv", 1, &["none.csv"]);
    assert_eq!(bench.run("verify --quick --full").code, 2);
    assert_eq!(bench.run("verify --target y").code, 2);
}
