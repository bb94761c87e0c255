//! Every check of every claim has a control that makes it fail with finite numbers: a setting in which what is claimed is
//! not so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use gramstep::theory::{
    Certificate, Claim, Cost, Effort, Ground, Labels, LazyScale, LazyWidth, LinearRate, Meter, MinibatchRate,
    Neighbourhood, Points, QuadraticRate, RandomLabels, RobustConvergence, RobustExistence, RobustImages,
    RobustNeighbourhood, RobustWidth, SolveSize, Verdict,
};
use gramstep::{Activation, Device, Matrix};

use super::theory::{every, ground};

/// One seed on points of their own.
fn one_seed() -> Ground {
    Ground::synthetic(2, Device::cpu(1))
}

/// A claim with a change, tried where it is to fail.
fn tried<C: Claim>(mut claim: C, ground: &Ground, change: impl FnOnce(&mut C)) -> Certificate {
    change(&mut claim);
    claim.certify(ground, &mut |_| ()).unwrap()
}

/// Points with targets that are `scale` times as large.
fn loud(samples: usize, inputs: usize, scale: f64) -> Ground {
    let mut points = Points::sphere(3, samples, inputs, Labels::Gaussian);
    points.targets.as_mut_slice().iter_mut().for_each(|y| *y *= scale);
    one_seed().with_data(points)
}

/// Points along the axes: gradient descent needs no longer than anything else.
fn axes(samples: usize) -> Ground {
    let inputs = Matrix::from_fn(samples, samples, |i, j| f64::from(u8::from(i == j)));
    let targets = Matrix::from_fn(samples, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
    one_seed().with_data(Points::new(inputs, targets).unwrap())
}

/// A meter that tells what a function of the number of the call says, and does the work only where it is to.
struct Telling {
    calls: AtomicU32,
    tells: fn(u32) -> Cost,
    works: fn(u32) -> bool,
}

impl Telling {
    fn new(tells: fn(u32) -> Cost, works: fn(u32) -> bool) -> Self {
        Self { calls: AtomicU32::new(0), tells, works }
    }
}

impl Meter for Telling {
    fn measure(&self, work: &mut dyn FnMut()) -> Cost {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if (self.works)(call) {
            work();
        }
        (self.tells)(call)
    }
}

/// Calls 0 to 2 of six are steps by the n×n matrix, the others by the p×p matrix.
fn sizes() -> Vec<Certificate> {
    let falling = Telling::new(|call| Cost { seconds: 1.0 / f64::from(call + 1), bytes: None }, |_| true);
    let steep = Telling::new(
        |call| Cost { seconds: if call % 6 < 3 { 1.0 } else { 100_f64.powi((call / 6).cast_signed()) }, bytes: None },
        |_| true,
    );
    let idle = Telling::new(|_| Cost { seconds: 1.0, bytes: None }, |call| call % 6 < 3);
    let upside_down: fn(u32) -> Cost = |call| Cost { seconds: 1.0, bytes: Some(if call % 6 < 3 { 9.0 } else { 1.0 }) };
    let upside_down = Telling::new(upside_down, |_| true);
    [falling, steep, idle, upside_down]
        .iter()
        .map(|meter| {
            let mut size = SolveSize::new(Effort::Quick, meter);
            (size.samples, size.ratios) = (32, vec![0.5, 2.0, 4.0, 8.0, 12.0]);
            tried(size, &Ground::synthetic(1, Device::cpu(1)), |_| ())
        })
        .collect()
}

/// Settings in which claims are not so.
#[allow(clippy::too_many_lines)] // a table
fn controls() -> Vec<Certificate> {
    let narrow = |widths: &[usize]| one_seed().with_widths(widths.to_vec()).unwrap();
    let linear = || {
        let mut claim = LinearRate::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.widths, claim.steps) = (40, 40, vec![250, 1000], 60);
        claim
    };
    let quadratic = || {
        let mut claim = QuadraticRate::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.widths) = (10, 8, vec![64, 256, 1024]);
        claim
    };
    let minibatch = || {
        let mut claim = MinibatchRate::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.widths) = (12, 8, vec![256, 2048]);
        claim
    };
    let lazy = || {
        let mut claim = LazyWidth::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.widths, claim.steps) = (10, 8, vec![64, 256, 1024], 60);
        claim.kernel_widths = vec![64, 128, 256];
        claim
    };
    let scale = || {
        let mut claim = LazyScale::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.width, claim.steps) = (10, 8, 128, 60);
        claim
    };
    let labels = || {
        let mut claim = RandomLabels::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.width) = (vec![20, 40], 20, 256);
        claim
    };
    let near = || {
        let mut claim = Neighbourhood::new(Effort::Quick);
        (claim.samples, claim.inputs, claim.widths, claim.steps) = (10, 8, vec![64, 256, 2048], 60);
        claim
    };
    let convergence = || {
        let mut claim = RobustConvergence::new(Effort::Quick);
        (claim.setting.samples, claim.width, claim.horizons) = (10, 256, vec![10, 30, 100]);
        claim
    };
    let robust_near = || {
        let mut claim = RobustNeighbourhood::new(Effort::Quick);
        (claim.setting.samples, claim.widths) = (10, vec![128, 512]);
        claim
    };
    let existence = || {
        let mut claim = RobustExistence::new(Effort::Quick);
        (claim.setting.samples, claim.widths) = (10, vec![64, 512]);
        claim
    };
    let width = || {
        let mut claim = RobustWidth::new(Effort::Quick);
        claim.setting.samples = 16;
        claim
    };
    let images = || {
        let mut claim = RobustImages::new(Effort::Quick);
        (claim.samples, claim.side, claim.widths, claim.epochs) = (16, 8, vec![64, 512], 120);
        claim
    };
    let mut controls = vec![
        // Steps beyond the stable ones.
        tried(linear(), &one_seed(), |claim| claim.relative_rate = 2.5),
        tried(linear(), &one_seed(), |claim| claim.relative_rate = 3.5),
        // Half steps leave half of the error.
        tried(quadratic(), &one_seed(), |claim| claim.step_length = 0.5),
        tried(quadratic(), &one_seed(), |claim| claim.control = Activation::Softplus),
        // Few units, whose kernel moves; one batch, which is no mini-batch.
        tried(minibatch(), &narrow(&[16, 20]), |_| ()),
        tried(minibatch(), &one_seed(), |claim| claim.batches = 1),
        tried(lazy(), &loud(10, 8, 30.0), |claim| claim.widths = vec![16, 32, 64]),
        tried(lazy(), &loud(10, 8, 10.0), |claim| claim.widths = vec![16, 32, 64]),
        tried(lazy(), &narrow(&[2, 4, 8, 16]), |_| ()),
        tried(lazy(), &loud(10, 8, 100.0), |claim| claim.widths = vec![256, 512, 1024]),
        // The limit of other networks, from which the distance does not fall.
        tried(lazy(), &one_seed(), |claim| claim.limit_variance = 4.0),
        // An output that is not 0 at the start is scaled up, too.
        tried(scale(), &one_seed(), |claim| claim.centred = false),
        tried(scale(), &one_seed(), |claim| claim.scales = vec![0.1, 0.2]),
        // One step; fewer parameters than labels; axes; few points in many dimensions.
        tried(labels(), &one_seed(), |claim| claim.steps = 1),
        tried(labels(), &one_seed(), |claim| (claim.width, claim.inputs) = (1, 3)),
        tried(labels(), &one_seed(), |claim| (claim.width, claim.steps) = (8, 20_000)),
        tried(labels(), &one_seed(), |claim| (claim.width, claim.steps) = (24, 20_000)),
        tried(labels(), &one_seed(), |claim| (claim.width, claim.steps) = (48, 20_000)),
        tried(labels(), &axes(6), |_| ()),
        tried(labels(), &one_seed(), |claim| (claim.samples, claim.inputs) = (vec![3], 2)),
        tried(labels(), &one_seed(), |claim| (claim.samples, claim.inputs) = (vec![10], 60)),
        tried(near(), &narrow(&[1, 2]), |_| ()),
        tried(near(), &narrow(&[4, 8, 16]), |_| ()),
        tried(near(), &loud(10, 8, 30.0), |claim| claim.widths = vec![16, 32, 64]),
        // Few units, few steps, long steps, twins out of each other's reach.
        tried(convergence(), &narrow(&[4]), |_| ()),
        tried(convergence(), &one_seed(), |claim| claim.steps = 5),
        tried(convergence(), &one_seed(), |claim| claim.relative_rate = 30.0),
        tried(convergence(), &one_seed(), |claim| claim.step_share = 0.003),
        tried(convergence(), &one_seed(), |claim| claim.twins_apart = 3.0),
        tried(robust_near(), &one_seed(), |claim| claim.steps = 2),
        tried(robust_near(), &one_seed(), |claim| claim.relative_rate = 30.0),
        tried(robust_near(), &one_seed(), |claim| claim.mean_field = true),
        tried(existence(), &narrow(&[2]), |_| ()),
        tried(existence(), &narrow(&[16]), |_| ()),
        tried(existence(), &narrow(&[24]), |_| ()),
        tried(existence(), &narrow(&[16, 512]), |_| ()),
        tried(existence(), &narrow(&[24, 256]), |_| ()),
        // No attack at all, and radii in the wrong order.
        tried(width(), &one_seed(), |claim| claim.radii = vec![0.0, 1e-6]),
        tried(width(), &one_seed(), |claim| claim.radii = vec![0.2, 0.0]),
        // One round of cutting planes, few epochs, steps that are too long, few units, no attack at all.
        tried(images(), &one_seed(), |claim| claim.rounds = 1),
        tried(images(), &one_seed(), |claim| claim.epochs = 3),
        tried(images(), &one_seed(), |claim| claim.relative_rate = 30.0),
        tried(images(), &narrow(&[16, 32]), |_| ()),
        tried(images(), &one_seed(), |claim| claim.radius = 1e-3),
    ];
    controls.extend(sizes());
    controls
}

#[test]
fn every_check_fails_in_some_control_with_finite_numbers() {
    let mut failing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for certificate in controls() {
        assert_ne!(certificate.verdict, Verdict::Holds, "{}: {}", certificate.claim, certificate.setting);
        let failed = certificate.checks.iter().filter(|check| !check.holds && check.measured.is_finite());
        failing.entry(certificate.claim.clone()).or_default().extend(failed.map(|check| check.name.clone()));
    }
    let mut never = Vec::new();
    let mut look = |certificate: &Certificate| {
        let seen = failing.get(&certificate.claim);
        let missing = certificate.checks.iter().filter(|check| !seen.is_some_and(|seen| seen.contains(&check.name)));
        never.extend(missing.map(|check| format!("{}: {}", certificate.claim, check.name)));
    };
    for claim in every() {
        look(&claim.certify(&ground(), &mut |_| ()).unwrap());
    }
    sizes().iter().for_each(&mut look);
    never.sort();
    never.dedup();
    assert!(never.is_empty(), "checks that no control makes fail:\n{}", never.join("\n"));
}

/// Runs that leave the finite numbers refute, whatever the others measured, and nothing is said to have been found.
#[test]
fn lost_runs_refute() {
    for (scale, activation) in [(1e160, Activation::Relu), (300.0, Activation::SquaredRelu)] {
        let mut lazy = LazyWidth::new(Effort::Quick);
        (lazy.samples, lazy.inputs, lazy.widths, lazy.steps) = (10, 8, vec![64, 256, 1024], 60);
        (lazy.activations, lazy.depths) = (vec![activation], vec![1]);
        let certificate = lazy.certify(&loud(10, 8, scale), &mut |_| ()).unwrap();
        assert_eq!(certificate.verdict, Verdict::Refuted, "{certificate:#?}");
        assert!(certificate.sentence.starts_with("Not as claimed"), "{}", certificate.sentence);
    }
    for claim in every() {
        let certificate = claim.certify(&loud(10, 8, 1e160), &mut |_| ()).unwrap();
        // The robust claims and random labels take the signs of targets alone.
        let signs = certificate.claim.starts_with("gao2019") || certificate.claim.starts_with("zhang2017");
        assert!(signs || certificate.verdict != Verdict::Holds, "{certificate:#?}");
        let certain = ["found 0.0000", "were enough here", "learned by heart", "Each step doubles"];
        assert!(signs || certain.iter().all(|words| !certificate.sentence.contains(words)), "{}", certificate.sentence);
    }
}
