//! Claims of papers hold on their own ground, and never where their assumptions fail.

use gramstep::theory::{
    Certificate, Claim, Cost, Effort, Ground, Labels, LazyScale, LazyWidth, LinearRate, Meter, MinibatchRate,
    Neighbourhood, Points, QuadraticRate, RandomLabels, RobustConvergence, RobustExistence, RobustImages,
    RobustNeighbourhood, RobustWidth, SolveSize, Verdict, claims,
};
use gramstep::{Activation, Device, Matrix};

const SEEDS: u64 = 5;

pub(super) fn ground() -> Ground {
    Ground::synthetic(SEEDS, Device::cpu(1))
}

fn certify(claim: &dyn Claim, ground: &Ground) -> Certificate {
    claim.certify(ground, &mut |_| ()).unwrap()
}

/// The claims that are tried on points of the sphere, small.
fn small() -> Vec<Box<dyn Claim>> {
    let mut linear = LinearRate::new(Effort::Quick);
    (linear.samples, linear.inputs, linear.widths, linear.steps) = (40, 40, vec![250, 1000], 60);
    let mut quadratic = QuadraticRate::new(Effort::Quick);
    (quadratic.samples, quadratic.inputs, quadratic.widths) = (10, 8, vec![64, 256, 1024]);
    let mut minibatch = MinibatchRate::new(Effort::Quick);
    (minibatch.samples, minibatch.inputs, minibatch.widths) = (12, 8, vec![256, 2048]);
    let mut width = LazyWidth::new(Effort::Quick);
    (width.samples, width.inputs, width.widths, width.steps) = (10, 8, vec![64, 256, 1024], 60);
    let mut scale = LazyScale::new(Effort::Quick);
    (scale.samples, scale.inputs, scale.width, scale.steps) = (10, 8, 128, 60);
    let mut labels = RandomLabels::new(Effort::Quick);
    (labels.samples, labels.inputs, labels.width) = (vec![20, 40], 20, 256);
    let mut near = Neighbourhood::new(Effort::Quick);
    (near.samples, near.inputs, near.widths, near.steps) = (10, 8, vec![64, 256, 2048], 60);
    vec![
        Box::new(linear),
        Box::new(quadratic),
        Box::new(minibatch),
        Box::new(width),
        Box::new(scale),
        Box::new(labels),
        Box::new(near),
    ]
}

/// The claims on adversarial training, small.
fn robust() -> Vec<Box<dyn Claim>> {
    let mut convergence = RobustConvergence::new(Effort::Quick);
    (convergence.setting.samples, convergence.width) = (10, 512);
    let mut near = RobustNeighbourhood::new(Effort::Quick);
    (near.setting.samples, near.widths) = (10, vec![128, 512]);
    let mut existence = RobustExistence::new(Effort::Quick);
    (existence.setting.samples, existence.widths) = (10, vec![64, 512]);
    let mut width = RobustWidth::new(Effort::Quick);
    (width.setting.samples, width.radii) = (16, vec![0.0, 0.2]);
    let mut images = RobustImages::new(Effort::Quick);
    (images.samples, images.side, images.widths, images.epochs) = (16, 8, vec![64, 512], 120);
    vec![Box::new(convergence), Box::new(near), Box::new(existence), Box::new(width), Box::new(images)]
}

pub(super) fn every() -> impl Iterator<Item = Box<dyn Claim>> {
    small().into_iter().chain(robust())
}

/// A meter whose time is the number of calls: this crate has no clock.
struct Counting;

impl Meter for Counting {
    fn measure(&self, work: &mut dyn FnMut()) -> Cost {
        work();
        Cost { seconds: 1.0, bytes: None }
    }
}

#[test]
fn every_claim_holds_on_its_own_ground_with_five_seeds() {
    for claim in every() {
        let certificate = certify(&*claim, &ground());
        assert_eq!(certificate.verdict, Verdict::Holds, "{}: {}", certificate.claim, certificate.sentence);
        assert!(certificate.margin >= 0.0 && certificate.predicted.is_finite() && certificate.measured.is_finite());
        assert_eq!(certificate.seeds.len(), 5);
        assert!(!certificate.sentence.contains("NaN") && !certificate.checks.is_empty());
        for picture in &certificate.pictures {
            assert!(!picture.sentence.is_empty() && !picture.x.label.is_empty() && !picture.y.label.is_empty());
            assert!(picture.curves.iter().any(|curve| !curve.points.is_empty()), "{}", picture.title);
        }
    }
}

#[test]
fn the_same_seeds_give_the_same_certificate() {
    for claim in every() {
        let few = Ground::synthetic(1, Device::cpu(2));
        let once = certify(&*claim, &few);
        assert_eq!(format!("{once:?}"), format!("{:?}", certify(&*claim, &few)));
        let mut others = few.clone();
        others.seeds = vec![7];
        let other = certify(&*claim, &others);
        assert_ne!(once.pictures, other.pictures, "{}", once.claim);
    }
}

#[test]
fn progress_rises_to_the_end() {
    for claim in every() {
        let mut told = vec![0.0];
        claim.certify(&Ground::synthetic(1, Device::cpu(1)), &mut |share| told.push(share)).unwrap();
        assert!(told.windows(2).all(|pair| pair[0] <= pair[1]), "{told:?}");
        assert!((told[told.len() - 1] - 1.0).abs() < 1e-12, "{}: {told:?}", claim.name());
    }
}

#[test]
fn no_claim_holds_with_duplicate_inputs() {
    let points = Points::sphere(3, 10, 8, Labels::Gaussian);
    let twins = points.inputs.select_rows(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
    let ground = Ground::synthetic(2, Device::cpu(1)).with_data(Points::new(twins, points.targets).unwrap());
    for claim in small() {
        let certificate = certify(&*claim, &ground);
        assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet, "{}", certificate.claim);
        assert!(certificate.unmet().any(|unmet| unmet.name.contains("λ")), "{certificate:#?}");
    }
}

#[test]
fn claims_of_the_sphere_do_not_hold_off_it() {
    let mut points = Points::sphere(3, 10, 8, Labels::Gaussian);
    points.inputs.row_mut(4).iter_mut().for_each(|x| *x *= 3.0);
    let ground = Ground::synthetic(2, Device::cpu(1)).with_data(points);
    for claim in every().filter(|claim| claim.name() != "zhang2017-random-labels") {
        let certificate = certify(&*claim, &ground);
        assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet, "{}", certificate.claim);
        let unmet: Vec<_> = certificate.unmet().map(|unmet| (unmet.name.contains("sphere"), unmet.measured)).collect();
        assert!(unmet.iter().any(|&(sphere, off)| sphere && (off - 2.0).abs() < 1e-12), "{unmet:?}");
    }
}

#[test]
fn a_learning_rate_above_the_stable_one_is_an_assumption_not_met() {
    let mut linear = LinearRate::new(Effort::Quick);
    (linear.samples, linear.inputs, linear.widths, linear.steps) = (40, 40, vec![250, 1000], 60);
    linear.relative_rate = 2.5;
    let certificate = certify(&linear, &ground());
    assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet);
    assert!(certificate.unmet().any(|unmet| unmet.name.contains("stable") && unmet.measured > 2.0));
    assert!(certificate.checks.iter().any(|check| !check.holds), "the error grows, too: {certificate:#?}");
    let mut lazy = LazyWidth::new(Effort::Quick);
    (lazy.samples, lazy.inputs, lazy.widths, lazy.steps) = (10, 8, vec![64, 256], 60);
    lazy.relative_rate = 2.5;
    assert_eq!(certify(&lazy, &ground()).verdict, Verdict::AssumptionsNotMet);
}

/// Twins that are nearly one make λ_min so small that no residual above rounding has ε < 1.
#[test]
fn where_no_step_can_be_judged_the_quadratic_rate_is_not_refuted() {
    let mut points = Points::sphere(3, 10, 8, Labels::Gaussian);
    let (a, b) = (points.inputs.row(0).to_vec(), points.inputs.row(1).to_vec());
    let turned: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + 1e-6 * b).collect();
    let length = turned.iter().map(|x| x * x).sum::<f64>().sqrt();
    points.inputs.row_mut(9).iter_mut().zip(&turned).for_each(|(x, turned)| *x = turned / length);
    let mut quadratic = QuadraticRate::new(Effort::Quick);
    (quadratic.samples, quadratic.inputs, quadratic.widths) = (10, 8, vec![64, 256, 1024]);
    let certificate = certify(&quadratic, &Ground::synthetic(1, Device::cpu(1)).with_data(points));
    assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet, "{certificate:#?}");
    assert!(certificate.unmet().all(|unmet| unmet.name.contains("ε < 1") && unmet.measured == 0.0), "{certificate:#?}");
}

#[test]
fn relu_has_no_quadratic_theorem() {
    let mut quadratic = QuadraticRate::new(Effort::Quick);
    (quadratic.samples, quadratic.inputs, quadratic.widths) = (10, 8, vec![64, 256, 1024]);
    quadratic.activations = vec![Activation::Relu];
    let certificate = certify(&quadratic, &ground());
    assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet);
    assert!(certificate.unmet().any(|unmet| unmet.name.contains("smooth")));
}

#[test]
fn no_claim_holds_for_narrow_networks() {
    let without_width = ["chizat2019-scale", "gao2019-width"];
    for claim in every().filter(|claim| !without_width.contains(&claim.name())) {
        for widths in [vec![1], vec![1, 2, 3]] {
            let few = Ground::synthetic(2, Device::cpu(1)).with_widths(widths.clone()).unwrap();
            let certificate = certify(&*claim, &few);
            assert_ne!(certificate.verdict, Verdict::Holds, "{widths:?}: {certificate:#?}");
        }
    }
}

#[test]
fn no_robust_claim_holds_where_balls_of_different_labels_meet() {
    let mut points = Points::sphere(3, 10, 8, Labels::Signs);
    // Opposite twins at the distance of 0.1 radians, within twice the radius.
    let (a, b) = (points.inputs.row(0).to_vec(), points.inputs.row(2).to_vec());
    let across: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
    let sine = (1.0 - across * across).sqrt();
    let turned = a.iter().zip(&b).map(|(a, b)| 0.1_f64.cos() * a + 0.1_f64.sin() * (b - across * a) / sine);
    points.inputs.row_mut(1).copy_from_slice(&turned.collect::<Vec<_>>());
    let ground = Ground::synthetic(1, Device::cpu(1)).with_data(points);
    for claim in robust() {
        let certificate = certify(&*claim, &ground);
        assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet, "{certificate:#?}");
        let apart = certificate.unmet().find(|unmet| unmet.name.contains("apart")).unwrap();
        let radius = if certificate.claim == "gao2019-images" { 0.15 } else { 0.2 };
        assert!((apart.measured - 0.05_f64.sin() / radius).abs() < 1e-9, "{apart:?}");
    }
}

#[test]
fn a_robust_fit_of_a_network_that_does_not_start_at_zero_is_no_certificate() {
    let mut existence = RobustExistence::new(Effort::Quick);
    (existence.setting.samples, existence.widths, existence.centred) = (10, vec![64, 256], false);
    let certificate = certify(&existence, &Ground::synthetic(2, Device::cpu(1)));
    assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet);
    assert!(certificate.unmet().any(|unmet| unmet.name.contains("centred")));
}

#[test]
fn laziness_by_scale_needs_a_centred_output() {
    let mut scale = LazyScale::new(Effort::Quick);
    (scale.samples, scale.inputs, scale.width, scale.steps, scale.centred) = (10, 8, 128, 60, false);
    let certificate = certify(&scale, &ground());
    assert_eq!(certificate.verdict, Verdict::AssumptionsNotMet);
    assert!(certificate.unmet().all(|unmet| unmet.name.contains("centred") && unmet.measured > 0.1));
}

#[test]
fn the_size_of_the_solve_is_judged_by_the_meter() {
    // A meter by which both solves take the same time refutes the claim; the steps agree all the same.
    let mut size = SolveSize::new(Effort::Quick, &Counting);
    (size.samples, size.ratios) = (32, vec![0.5, 2.0, 4.0, 8.0]);
    let certificate = certify(&size, &Ground::synthetic(1, Device::cpu(1)));
    assert_eq!(certificate.verdict, Verdict::Refuted, "{certificate:#?}");
    assert!(certificate.checks.iter().any(|check| check.name.contains("two steps") && check.holds));
    assert!(certificate.checks.iter().any(|check| check.name.contains("exponent") && !check.holds));
}

#[test]
fn the_registry_has_distinct_names_and_sources_of_the_bibliography() {
    let bibliography = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../references.bib")).unwrap();
    let all = claims(Effort::Quick, &Counting);
    for (i, claim) in all.iter().enumerate() {
        assert!(bibliography.contains(&format!("{{{},", claim.source())), "{}", claim.source());
        assert!(all[..i].iter().all(|other| other.name() != claim.name()));
        assert!(claim.statement().ends_with('.'));
    }
}

#[test]
fn grounds_without_seeds_widths_or_points_are_refused() {
    let mut none = ground();
    none.seeds.clear();
    assert!(small().iter().all(|claim| claim.certify(&none, &mut |_| ()).is_err()));
    assert!(ground().with_widths(vec![]).is_err() && ground().with_widths(vec![8, 0]).is_err());
    assert!(Points::new(Matrix::zeros(1, 2), Matrix::zeros(1, 1)).is_err());
    assert!(Points::new(Matrix::zeros(3, 2), Matrix::zeros(2, 1)).is_err());
    assert!(Points::new(Matrix::zeros(3, 2), Matrix::zeros(3, 2)).is_err());
}
