//! What attacks make of a model of the caller's own: they end by its flag, and do not take a gradient of no numbers for none.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gramstep::attack::{
    Apgd, Attack, Candidates, Criterion, Fgsm, Pgd, Problem, Shift, SmallestPerturbation, ThreatModel,
};
use gramstep::device::{Operations, Tile};
use gramstep::model::{Cotangent, Differentiable, InputPass};
use gramstep::{Activation, Device, Error, Matrix, Model, Result};

use super::cases::matrix;

fn attacks() -> [Box<dyn Attack<f64>>; 3] {
    [Box::new(Fgsm), Box::new(Pgd::new(3)), Box::new(Apgd::new(4))]
}

/// A network that raises a flag in one of its passes.
struct Flagged {
    model: Model<f64>,
    passes: AtomicUsize,
    last: usize,
    flag: AtomicBool,
}

impl Flagged {
    fn new(last: usize) -> Self {
        let model = Model::mlp(&[2, 8, 3], Activation::Tanh).seed(3).device(Device::cpu(1)).build().unwrap();
        Self { model, passes: AtomicUsize::new(0), last, flag: AtomicBool::new(false) }
    }

    fn count(&self) {
        if self.passes.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.flag.store(true, Ordering::Relaxed);
        }
    }
}

impl Differentiable<f64> for Flagged {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        3
    }

    fn device(&self) -> &Device {
        self.model.device()
    }

    fn cost(&self) -> f64 {
        1.0
    }

    fn tile_samples(&self, _: usize) -> usize {
        2
    }

    fn evaluate(&self, operations: &dyn Operations<f64>, x: Tile<'_, f64>, pass: &mut InputPass<f64>) -> Result<()> {
        self.count();
        self.model.evaluate(operations, x, pass)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        cotangent: &mut Cotangent<'_, f64>,
        pass: &mut InputPass<f64>,
    ) -> Result<()> {
        self.count();
        self.model.pull_back(operations, x, cotangent, pass)
    }
}

#[test]
fn no_pass_follows_the_one_in_which_the_flag_is_set() {
    let (x, threat) = (matrix::<f64>(1, 5, 2), ThreatModel::l2(0.8).unwrap());
    let y = Matrix::from_fn(5, 3, |i, a| f64::from(u8::from(i % 3 == a)));
    let follows = |name: &str, run: &dyn Fn(&Problem<'_, f64>) -> Result<()>| {
        let passes_of = |last: usize| {
            let model = Flagged::new(last);
            let done = run(&Problem::new(&model, &x, &y).with_stop(&model.flag));
            (done, model.passes.into_inner())
        };
        let (done, all) = passes_of(usize::MAX);
        assert!(done.is_ok() && all > 3, "{name}: {done:?} after {all}");
        for last in 1..all {
            assert_eq!(passes_of(last), (Err(Error::Interrupted), last), "{name}, of {all} passes");
        }
    };
    for attack in attacks() {
        follows(attack.name(), &|problem| attack.run(problem, &threat).map(drop));
        let smallest = SmallestPerturbation::new(2).with_ways(2);
        follows("smallest", &|problem| smallest.run(&*attack, problem, &threat).map(drop));
    }
    follows("candidates", &|problem| Candidates(x.clone()).error(problem).map(drop));
}

/// f(x) = ‖x‖, which has no gradient at 0.
struct Length(Device);

impl Differentiable<f64> for Length {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        1
    }

    fn device(&self) -> &Device {
        &self.0
    }

    fn cost(&self) -> f64 {
        1.0
    }

    fn evaluate(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, pass: &mut InputPass<f64>) -> Result<()> {
        pass.outputs = (0..x.rows()).map(|i| x.row(i)[0].hypot(x.row(i)[1])).collect();
        Ok(())
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        cotangent: &mut Cotangent<'_, f64>,
        pass: &mut InputPass<f64>,
    ) -> Result<()> {
        self.evaluate(operations, x, pass)?;
        pass.gradient.clear();
        for (i, f) in pass.outputs.iter().enumerate() {
            let mut u = [0.0];
            cotangent(i, &[*f], &mut u);
            pass.gradient.extend(x.row(i).iter().map(|x| u[0] * x / f));
        }
        Ok(())
    }
}

#[test]
fn a_sample_does_not_withstand_an_attack_by_a_gradient_of_no_numbers() {
    let (model, up) = (Length(Device::cpu(1)), Shift::up(0));
    let x = Matrix::from_vec(2, 2, vec![0.3, -0.4, 0.0, 0.0]).unwrap();
    let y = Matrix::zeros(2, 1);
    let problem = |x| Problem::new(&model, x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
    let apart = Matrix::from_vec(2, 2, vec![0.3, -0.4, 0.1, 0.0]).unwrap();
    for threat in [ThreatModel::linf(0.1).unwrap(), ThreatModel::l2(0.1).unwrap()] {
        for attack in attacks() {
            let smallest = |x| SmallestPerturbation::new(3).run(&*attack, &problem(x), &threat);
            for found in [attack.run(&problem(&x), &threat), smallest(&x)] {
                let error = found.unwrap_err();
                assert!(matches!(error, Error::NonFinite { .. }), "{}: {error}", attack.name());
            }
            for found in [attack.run(&problem(&apart), &threat), smallest(&apart)] {
                assert!(found.unwrap().samples.iter().all(|sample| sample.found), "{}", attack.name());
            }
        }
    }
}
