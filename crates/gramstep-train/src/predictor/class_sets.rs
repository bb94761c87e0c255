//! Sets of classes that hold the right one with a given probability.
//!
//! ```text
//! {a : p_a(x) ≥ 1 − q} and the most probable class,  q the ⌈(n + 1)·level⌉-th smallest of 1 − p_y on unseen rows   (vovk2005)
//! ```
//!
//! With few such rows the most probable classes whose probabilities add up to the level.

use super::conformal::{FEWEST, by_weight, ranked};
use crate::outcome::HeldOut;
use crate::outcome::metrics::{largest, softmax};

/// What the right classes of rows that were not seen lacked in probability.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSets {
    /// 1 − p of the right class, ascending.
    pub(super) scores: Vec<f64>,
}

impl ClassSets {
    /// From logits of rows that a model has not seen; none where there are none.
    pub(crate) fn of(unseen: &HeldOut<f64>) -> Option<Self> {
        let score = |i: usize| {
            let mut p = unseen.outputs.row(i).to_vec();
            softmax(&mut p);
            (1.0 - p[largest(unseen.rows.targets.row(i))]).clamp(0.0, 1.0)
        };
        let scores = by_weight((0..unseen.outputs.rows()).map(score).collect(), unseen.rows.weights.as_deref());
        (!scores.is_empty()).then_some(Self { scores })
    }

    /// Which classes belong to the set of a row, of whose classes these are the probabilities.
    #[must_use]
    pub fn holds(&self, probabilities: &[f64], level: f64) -> Vec<bool> {
        let best = largest(probabilities);
        if self.scores.len() < FEWEST {
            let mut order: Vec<usize> = (0..probabilities.len()).collect();
            order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
            let (mut sum, mut holds) = (0.0, vec![false; probabilities.len()]);
            for class in order {
                holds[class] = sum < level || class == best;
                sum += probabilities[class];
            }
            return holds;
        }
        // Said as scores are, to the last bit.
        let most = ranked(&self.scores, level).unwrap_or(1.0);
        probabilities.iter().enumerate().map(|(class, &p)| 1.0 - p <= most || class == best).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_best_class_and_grows_with_the_level() {
        let many = ClassSets { scores: (0..99).map(|i| f64::from(i) / 100.0).collect() };
        let p = [0.6, 0.3, 0.1];
        assert_eq!(many.holds(&p, 0.05), [true, false, false]);
        assert_eq!(many.holds(&p, 0.72), [true, true, false]);
        assert_eq!(many.holds(&p, 0.999), [true; 3]);
        let tied = ClassSets { scores: vec![1.0 - 0.3; 99] };
        assert_eq!(tied.holds(&p, 0.9), [true, true, false]);
        let few = ClassSets { scores: vec![0.5; 5] };
        assert_eq!(few.holds(&p, 0.5), [true, false, false]);
        assert_eq!(few.holds(&p, 0.7), [true, true, false]);
    }
}
