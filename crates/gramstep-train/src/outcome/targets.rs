//! The scores of single targets, and what they come to where they are many.

use super::metrics::{Metrics, TargetMetrics};

/// The scores of so many targets are shown one by one.
const MOST_SHOWN: usize = 8;

impl TargetMetrics {
    /// What it is judged by, with its name: `rmse` or `accuracy`.
    #[must_use]
    pub fn score(&self) -> Option<(&'static str, f64)> {
        match (&self.errors, &self.scores) {
            (Some(errors), _) => Some(("rmse", errors.rmse)),
            (None, Some(scores)) => Some(("accuracy", scores.accuracy)),
            (None, None) => None,
        }
    }
}

impl Metrics {
    /// Names and values of the scores of every target; of more than eight the best, the middle and the worst one. Empty
    /// where there is one target.
    #[must_use]
    pub fn scores_of_targets(&self) -> Vec<(String, f64)> {
        if self.per_target.len() <= MOST_SHOWN {
            let named = |of: &TargetMetrics| of.score().map(|(name, value)| (format!("{name} {}", of.target), value));
            return self.per_target.iter().filter_map(named).collect();
        }
        let ranked = self.ranked_targets();
        let Some((name, _)) = self.per_target.first().and_then(TargetMetrics::score) else { return Vec::new() };
        let at = |place: usize| ranked.get(place).map_or(f64::NAN, |(_, value)| *value);
        [("best", at(0)), ("middle", at(ranked.len() / 2)), ("worst", at(ranked.len().saturating_sub(1)))]
            .map(|(which, value)| (format!("{name}, {which} target"), value))
            .to_vec()
    }

    /// Whether the targets are too many to be shown one by one.
    #[must_use]
    pub fn has_many_targets(&self) -> bool {
        self.per_target.len() > MOST_SHOWN
    }

    /// Every target with its score, the best one first.
    #[must_use]
    pub fn ranked_targets(&self) -> Vec<(&str, f64)> {
        let mut ranked: Vec<(&str, &'static str, f64)> = self
            .per_target
            .iter()
            .filter_map(|target| target.score().map(|(name, value)| (target.target.as_str(), name, value)))
            .collect();
        // An error is better where it is small, a share of right answers where it is large.
        ranked.sort_by(|a, b| if a.1 == "rmse" { a.2.total_cmp(&b.2) } else { b.2.total_cmp(&a.2) });
        ranked.into_iter().map(|(target, _, value)| (target, value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{DataOptions, Problem, table_of};
    use crate::outcome::metrics::{Metrics, measure};
    use gramstep::Matrix;

    /// The metrics of a constant on so many targets, of which a later one has larger errors.
    fn metrics(targets: usize) -> Metrics {
        let names: Vec<String> = (0..targets).map(|j| format!("t{j}")).collect();
        let cell = |i: usize, j: usize| format!(",{}", (i % 3) * (j + 1));
        let row = |i: usize| format!("{i}{}\n", (0..targets).map(|j| cell(i, j)).collect::<String>());
        let text = format!("a,{}\n{}", names.join(","), (0..30).map(row).collect::<String>());
        let options = DataOptions { target: names, ..DataOptions::of("csv:t".parse().unwrap()) };
        let problem = Problem::of_table(&table_of(&text), &options).unwrap();
        let outputs = Matrix::zeros(problem.train.rows(), targets);
        measure(&outputs, &problem.train.targets, None, &problem.preprocessing.targets)
    }

    #[test]
    fn few_targets_are_shown_one_by_one_and_many_by_the_best_the_middle_and_the_worst() {
        let few = metrics(3);
        let names: Vec<String> = few.scores_of_targets().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["rmse t0", "rmse t1", "rmse t2"]);
        assert!(!few.has_many_targets() && metrics(1).scores_of_targets().is_empty());
        let many = metrics(9);
        let scores = many.scores_of_targets();
        let names: Vec<&str> = scores.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["rmse, best target", "rmse, middle target", "rmse, worst target"]);
        let ranked = many.ranked_targets();
        assert_eq!((ranked[0].0, ranked[8].0), ("t0", "t8"));
        assert_eq!((scores[0].1, scores[1].1, scores[2].1), (ranked[0].1, ranked[4].1, ranked[8].1));
        assert!(many.has_many_targets());
    }
}
