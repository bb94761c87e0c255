//! Which claims are tried, on what, and the trial.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramstep::Device;
use gramstep::theory::{Claim, Effort, Ground, claims};

use super::abandon;
use super::meter::Machine;
use super::sphere;
use super::verification::{SCHEMA_VERSION, Tried, Verification};
use crate::error::{Error, Result, out_of_range};
use crate::outcome::event::{Event, Observer};
use crate::settings::Config;

/// Seeds, unless the user says otherwise.
pub const SEEDS: u64 = 5;
/// More seeds than this tell nothing more.
const MOST_SEEDS: u64 = 10_000;
/// More hidden units do not fit any machine, with the rows of the claims.
const MOST_UNITS: usize = 10_000_000;
/// Most rows of a table that are used.
const ROWS: [(Effort, usize); 2] = [(Effort::Quick, 200), (Effort::Full, 1000)];

/// What to verify.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names of claims, keys of papers, or `all`; none is all.
    pub claims: Vec<String>,
    /// How much is computed.
    pub effort: Effort,
    /// Numbers of hidden units in place of the claims' own.
    pub widths: Option<Vec<usize>>,
    /// How many seeds.
    pub seeds: u64,
    /// The table to try claims on in place of synthetic points: its `data`, `target` and `drop`.
    pub table: Option<Config>,
    /// Threads; none: all processors.
    pub threads: Option<usize>,
}

impl Default for Job {
    fn default() -> Self {
        Self { claims: Vec::new(), effort: Effort::Quick, widths: None, seeds: SEEDS, table: None, threads: None }
    }
}

/// Tries claims one after the other. `stop` ends it within seconds: a claim that is not through by then is left out.
///
/// # Errors
/// [`Error::Setting`] for an unknown claim or a bad number, those of reading the table, [`Error::Core`].
pub fn verify(job: &Job, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Verification> {
    let chosen = choose(claims(job.effort, &Machine), &job.claims)?;
    let (ground, data, notes) = ground(job)?;
    let ground = Arc::new(ground);
    for note in &notes {
        observer.note(note)?;
    }
    let mut found = Verification {
        schema_version: SCHEMA_VERSION,
        effort: if job.effort == Effort::Full { "full" } else { "quick" }.to_owned(),
        data,
        notes,
        claims: Vec::new(),
        interrupted: false,
    };
    let all = chosen.len() as f64;
    for (done, claim) in chosen.into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            found.interrupted = true;
            break;
        }
        let name = claim.name();
        let mut progress = |share: f64| observer.count(name, thousandths((done as f64 + share) / all), 1000);
        progress(0.0);
        let (start, ground) = (Instant::now(), Arc::clone(&ground));
        let Some(certificate) = abandon::until(stop, &mut progress, move |tell| claim.certify(&ground, tell))? else {
            found.interrupted = true;
            break;
        };
        let certificate = certificate?;
        observer.observe(&Event::Certified(&certificate))?;
        found.claims.push(Tried { certificate, seconds: start.elapsed().as_secs_f64() });
    }
    Ok(found)
}

/// A share of 1 as a count of 1000.
#[allow(clippy::cast_sign_loss)] // a share is at least 0
fn thousandths(share: f64) -> usize {
    (1000.0 * share).round() as usize
}

/// The claims of these names, keys of papers or `all`, in their own order.
fn choose<'a>(all: Vec<Box<dyn Claim + 'a>>, wanted: &[String]) -> Result<Vec<Box<dyn Claim + 'a>>> {
    let is = |claim: &dyn Claim, name: &str| {
        name == "all"
            || name == claim.name()
            || claim.name().strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    };
    if let Some(unknown) = wanted.iter().find(|name| !all.iter().any(|claim| is(&**claim, name))) {
        let names: Vec<&str> = all.iter().map(|claim| claim.name()).collect();
        let range = format!("all, {}", names.join(", "));
        return Err(Error::Setting { name: "claim", value: unknown.clone(), range });
    }
    Ok(all.into_iter().filter(|claim| wanted.is_empty() || wanted.iter().any(|name| is(&**claim, name))).collect())
}

/// Where claims are tried, the name of the table, and what was repaired in it.
fn ground(job: &Job) -> Result<(Ground, Option<String>, Vec<String>)> {
    if !(1..=MOST_SEEDS).contains(&job.seeds) {
        return Err(out_of_range("seeds", &job.seeds, "1 to 10000"));
    }
    if let Some(width) = job.widths.iter().flatten().find(|&&width| width > MOST_UNITS) {
        return Err(out_of_range("widths", width, "at most 10000000 hidden units"));
    }
    let device = Device::cpu(job.threads.unwrap_or(0));
    let mut ground = Ground::synthetic(job.seeds, device);
    if let Some(widths) = &job.widths {
        ground = ground.with_widths(widths.clone())?;
    }
    let Some(config) = &job.table else { return Ok((ground, None, Vec::new())) };
    let most = ROWS.iter().find(|(effort, _)| *effort == job.effort).map_or(usize::MAX, |(_, rows)| *rows);
    let (points, notes) = sphere::load(config, most)?;
    Ok((ground.with_data(points), config.data.clone(), notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::event::Silent;

    #[test]
    fn claims_are_chosen_by_name_by_paper_or_all_together() {
        let names = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
            let chosen = choose(claims(Effort::Quick, &Machine), &wanted)?;
            Ok::<_, Error>(chosen.iter().map(|claim| claim.name()).collect::<Vec<_>>())
        };
        assert_eq!(names(&["cai2019"]).unwrap(), ["cai2019-quadratic", "cai2019-minibatch"]);
        assert_eq!(names(&["size", "du2019"]).unwrap(), ["du2019", "size"]);
        assert_eq!(names(&[]).unwrap(), names(&["all"]).unwrap());
        let error = names(&["du2019", "du"]).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("jacot2018-lazy"), "{error}");
    }

    #[test]
    fn no_seeds_and_no_widths_are_wrong_use() {
        let go_on = AtomicBool::new(false);
        let many = |seeds| Job { seeds, ..Job::default() };
        let wide = Job { widths: Some(vec![usize::MAX]), ..Job::default() };
        for job in [many(0), many(10_u64.pow(12)), many(u64::MAX), wide, Job { widths: Some(vec![]), ..Job::default() }]
        {
            assert!(verify(&job, &go_on, &mut Silent).unwrap_err().is_usage());
        }
    }
}
