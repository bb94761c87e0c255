//! Losses against differences, and their curvature factors against the curvature.

use gramstep::loss::{
    AbsoluteLoss, CrossEntropyLoss, Curvature, HingeLoss, HuberLoss, LogisticLoss, Loss, PoissonLoss, QuantileLoss,
    SquaredHingeLoss, SquaredLoss,
};

use super::cases::normal;

/// A loss with outputs and targets that suit it.
type Row = (Box<dyn Loss>, Vec<f64>, Vec<f64>);

fn table() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for k in [1, 3, 10] {
        let f = normal::<f64>(k as u64, k);
        rows.push((Box::new(SquaredLoss), f.clone(), normal(7, k)));
        rows.push((Box::new(HuberLoss::new(0.7).unwrap()), f.iter().map(|v| 3.0 * v).collect(), vec![0.1; k]));
        rows.push((Box::new(AbsoluteLoss), f.clone(), vec![f[0] + 0.01; k]));
        let levels = (0..k.min(3)).map(|a| 0.1 + 0.3 * a as f64).collect();
        rows.push((Box::new(QuantileLoss::new(levels).unwrap()), f.clone(), vec![f[0] - 0.01; k]));
        rows.push((Box::new(PoissonLoss), f.clone(), (0..k).map(|a| a as f64).collect()));
        let signs: Vec<f64> = (0..k).map(|a| if a % 2 == 0 { 1.0 } else { -1.0 }).collect();
        rows.push((Box::new(HingeLoss), f.iter().map(|v| 2.0 * v).collect(), signs.clone()));
        rows.push((Box::new(SquaredHingeLoss), f.iter().map(|v| 2.0 * v).collect(), signs));
        rows.push((Box::new(LogisticLoss), f.clone(), (0..k).map(|a| f64::from(u8::from(a % 2 == 0))).collect()));
    }
    for k in [2, 3, 10] {
        let mut y = vec![0.0; k];
        y[k / 2] = 1.0;
        rows.push((Box::new(CrossEntropyLoss), normal(k as u64, k), y.clone()));
        let soft: Vec<f64> = (0..k).map(|a| (a + 1) as f64 * 2.0 / (k * (k + 1)) as f64).collect();
        rows.push((Box::new(CrossEntropyLoss), normal(k as u64, k), soft));
    }
    rows
}

#[test]
fn gradients_agree_with_central_differences() {
    for (loss, f, y) in table() {
        let mut g = vec![0.0; f.len()];
        loss.gradient(&f, &y, &mut g);
        for a in 0..f.len() {
            let at = |h: f64| {
                let mut moved = f.clone();
                moved[a] += h;
                loss.value(&moved, &y)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((g[a] - slope).abs() < 1e-8, "{}: {} {slope}", loss.name(), g[a]);
        }
    }
}

fn factor(loss: &dyn Loss, f: &[f64], y: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let k = f.len();
    let mut z = vec![0.0; k];
    let mut entries = vec![
        0.0;
        match loss.curvature() {
            Curvature::Identity => 0,
            Curvature::Diagonal => k,
            Curvature::Full => k * k,
        }
    ];
    loss.factor(f, y, &mut entries, &mut z);
    let entry = |a: usize, b: usize| match loss.curvature() {
        Curvature::Identity => f64::from(u8::from(a == b)),
        Curvature::Diagonal => {
            if a == b {
                entries[a]
            } else {
                0.0
            }
        }
        Curvature::Full => entries[a * k + b],
    };
    ((0..k).map(|a| (0..k).map(|b| entry(a, b)).collect()).collect(), z)
}

#[test]
fn factors_reproduce_gradient_and_curvature() {
    for (loss, f, y) in table() {
        let k = f.len();
        let (b, z) = factor(&*loss, &f, &y);
        let mut g = vec![0.0; k];
        loss.gradient(&f, &y, &mut g);
        for a in 0..k {
            let bz: f64 = b[a].iter().zip(&z).map(|(b, z)| b * z).sum();
            assert!((bz - g[a]).abs() < 1e-12, "{}: B z = {bz}, g = {}", loss.name(), g[a]);
        }
        if ["huber", "hinge", "absolute", "quantile"].contains(&loss.name()) {
            continue; // Their factors are those of a re-weighted loss, not of the second derivative.
        }
        for column in 0..k {
            let gradient = |h: f64| {
                let (mut moved, mut g) = (f.clone(), vec![0.0; k]);
                moved[column] += h;
                loss.gradient(&moved, &y, &mut g);
                g
            };
            let (up, down) = (gradient(1e-5), gradient(-1e-5));
            for row in 0..k {
                let q: f64 = (0..k).map(|c| b[row][c] * b[column][c]).sum();
                let bend = (up[row] - down[row]) / 2e-5;
                assert!((q - bend).abs() < 1e-8, "{}: Q = {q}, difference {bend}", loss.name());
            }
        }
    }
}

#[test]
fn extreme_logits_stay_finite() {
    for gap in [40.0, 800.0, 3000.0] {
        for (loss, f, y) in [
            (&CrossEntropyLoss as &dyn Loss, vec![gap, 0.0, -gap], vec![0.0, 0.0, 1.0]),
            (&LogisticLoss, vec![-gap], vec![1.0]),
            (&LogisticLoss, vec![gap], vec![0.0]),
        ] {
            let (b, z) = factor(loss, &f, &y);
            assert!(loss.value(&f, &y).is_finite());
            assert!(b.iter().flatten().chain(&z).all(|v| v.is_finite()), "{} {gap}: {b:?} {z:?}", loss.name());
            let mut g = vec![0.0; f.len()];
            loss.gradient(&f, &y, &mut g);
            for a in 0..f.len() {
                let bz: f64 = b[a].iter().zip(&z).map(|(b, z)| b * z).sum();
                assert!((bz - g[a]).abs() < 1e-9, "{} {gap}: B z = {bz}, g = {}", loss.name(), g[a]);
            }
        }
    }
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    assert!(CrossEntropyLoss.objection(&[0.5, 0.6]).is_some());
    assert!(CrossEntropyLoss.objection(&[1.0, 0.0]).is_none());
    assert!(LogisticLoss.objection(&[2.0]).is_some());
    assert!(HingeLoss.objection(&[0.0]).is_some() && SquaredHingeLoss.objection(&[-1.0, 0.5]).is_some());
    assert!(HingeLoss.objection(&[-1.0, 1.0]).is_none() && SquaredHingeLoss.objection(&[1.0]).is_none());
    assert!(HuberLoss::new(0.0).is_err());
    assert!(HuberLoss::new(f64::NAN).is_err());
}

/// The constant where the mean of a loss over some targets is least, by golden section.
fn best_constant(loss: &dyn Loss, y: &[f64]) -> f64 {
    let mean = |f: f64| y.iter().map(|&y| loss.value(&[f], &[y])).sum::<f64>();
    gramstep::solve::golden_section(mean, -10.0, 20.0, 200)
}

#[test]
fn the_best_constant_is_the_median_the_quantile_or_the_mean_count() {
    let y: Vec<f64> = (0..1001).map(|i| f64::from(i) / 100.0).collect();
    assert!((best_constant(&AbsoluteLoss, &y) - 5.0).abs() < 0.02);
    for level in [0.05, 0.5, 0.9] {
        let loss = QuantileLoss::new(vec![level]).unwrap();
        assert!((best_constant(&loss, &y) - 10.0 * level).abs() < 0.02, "{level}");
    }
    let counts = [0.0, 1.0, 1.0, 7.0];
    assert!((best_constant(&PoissonLoss, &counts).exp() - 2.25).abs() < 1e-5);
    assert!(PoissonLoss.reported(&[3.0_f64.ln()], &[3.0]).abs() < 1e-14 && PoissonLoss.objection(&[-1.0]).is_some());
    assert!(QuantileLoss::new(vec![]).is_err() && QuantileLoss::new(vec![1.0]).is_err());
}

#[test]
fn a_parabola_of_the_re_weighted_losses_lies_above_them() {
    let losses: [Box<dyn Loss>; 3] = [
        Box::new(AbsoluteLoss),
        Box::new(HuberLoss::new(0.5).unwrap()),
        Box::new(QuantileLoss::new(vec![0.8]).unwrap()),
    ];
    for loss in &losses {
        for from in [-3.0, -0.4, -0.01, 0.0, 0.015, 0.2, 5.0] {
            let (mut b, mut z, mut g) = ([0.0], [0.0], [0.0]);
            loss.factor(&[from], &[0.0], &mut b, &mut z);
            loss.gradient(&[from], &[0.0], &mut g);
            for step in [-4.0, -0.5, -0.02, 0.01, 0.3, 6.0] {
                let above = loss.value(&[from], &[0.0]) + g[0] * step + 0.5 * b[0] * b[0] * step * step;
                assert!(loss.value(&[from + step], &[0.0]) <= above + 1e-12, "{} {from} {step}", loss.name());
            }
        }
    }
}

#[test]
fn a_poisson_loss_is_half_its_deviance_and_keeps_its_digits_near_the_least() {
    for y in [0.0, 1e-3, 1.0, 7.0, 1e6] {
        for f in [-3.0, 0.0, 0.5, 13.0, 99.0, 101.0] {
            let value = PoissonLoss.value(&[f], &[y]);
            assert!(value >= 0.0 && (2.0 * value - PoissonLoss.reported(&[f], &[y])).abs() <= 1e-12 * value, "{f} {y}");
        }
    }
    for y in [1.0_f64, 7.0, 1e6] {
        assert_eq!(PoissonLoss.value(&[y.ln()], &[y]), 0.0);
        // e^d − 1 − d = ½d² + ⅙d³
        for d in [1e-6_f64, -1e-4] {
            let expected = y * (0.5 * d * d + d.powi(3) / 6.0);
            let value = PoissonLoss.value(&[y.ln() + d], &[y]);
            assert!((value / expected - 1.0).abs() < 1e-6, "{y} {d}: {value:e} {expected:e}");
        }
    }
}
