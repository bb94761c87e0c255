//! How a model is attacked.

use std::path::PathBuf;

use gramstep::attack::{NamedAttack, Norm};

use crate::settings::all_processors;
use crate::training::adversarial::Unit;

/// How a model is attacked.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackOptions {
    /// How perturbations are measured.
    pub norm: Norm,
    /// Their largest size.
    pub radius: f64,
    /// What the radius is measured in.
    pub unit: Unit,
    /// How they are looked for.
    pub attack: NamedAttack,
    /// Limits of every number column, in the units of the data; none if everything is allowed.
    pub limits: Option<(f64, f64)>,
    /// Columns of the table that are left as they are.
    pub frozen: Vec<String>,
    /// How far columns may move for each unit of the radius; 1 for those not named.
    pub sizes: Vec<(String, f64)>,
    /// The most rows to attack, drawn at random over all by `seed`.
    pub rows: Option<usize>,
    /// Of random starts and of the rows that are drawn.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// A page to write, with examples.
    pub page: Option<PathBuf>,
    /// Other runs, judged on what was found for this one.
    pub transfer: Vec<PathBuf>,
}

impl AttackOptions {
    /// PGD with 40 steps in a ball, in the units of the data.
    #[must_use]
    pub fn new(norm: Norm, radius: f64) -> Self {
        let attack = NamedAttack::Pgd(gramstep::attack::Pgd::new(40));
        Self {
            norm,
            radius,
            unit: Unit::Data,
            attack,
            limits: None,
            frozen: Vec::new(),
            sizes: Vec::new(),
            rows: None,
            seed: 0,
            threads: all_processors(),
            page: None,
            transfer: Vec::new(),
        }
    }
}
