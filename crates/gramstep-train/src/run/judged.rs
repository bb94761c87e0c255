//! How a model does on rows that it has not seen, beside ridge regression and the constant.

use gramstep::Scalar;

use super::fitted::Fitted;
use super::reference::Reference;
use crate::data::{Dataset, Problem, Task};
use crate::error::Result;
use crate::outcome::Candidate;
use crate::outcome::metrics::{Metrics, loss_of_constant};

/// What is said of ridge regression.
pub(super) const RIDGE: &str = "ridge regression";

/// The losses of a model and its rivals on the same rows, which none of them has seen.
pub(super) struct Judged {
    /// Of the model, on these rows.
    pub(super) own: Metrics,
    /// The loss of the constant there.
    constant: f64,
    /// None where it cannot be judged by them, or is not asked for.
    pub(super) reference: Option<Reference>,
}

impl Judged {
    /// None where no rows judge; without `rivals`, the threads that may fit them, beside the constant alone.
    pub(super) fn of<T: Scalar>(
        problem: &Problem<T>,
        fitted: &Fitted<T>,
        rivals: Option<usize>,
    ) -> Result<Option<Self>> {
        let targets = &problem.preprocessing.targets;
        let (own, rows): (Metrics, &Dataset<T>) = match (&fitted.held_out, &problem.validation) {
            (Some(held_out), _) => (held_out.measure(targets), &held_out.rows),
            (None, Some(rows)) => (fitted.learned.judge(rows, targets)?, rows),
            (None, None) => return Ok(None),
        };
        let constant = loss_of_constant(&problem.train, rows, targets);
        let trained_on = fitted.train.as_ref().unwrap_or(&problem.train);
        let reference = match rivals {
            Some(threads) => Reference::of(problem, fitted.held_out.as_ref(), trained_on, threads)?,
            None => None,
        };
        Ok(Some(Self { own, constant, reference }))
    }

    /// Whether ridge regression does better.
    pub(super) fn is_beaten(&self) -> bool {
        self.reference.as_ref().is_some_and(|reference| reference.unseen.loss < self.own.loss || self.own.loss.is_nan())
    }

    /// All that were judged; `model` says what the first one is, and `exchanged` whether ridge regression took its place.
    pub(super) fn candidates(&self, model: String, exchanged: bool) -> Vec<Candidate> {
        let own = Candidate { model, loss: self.own.loss, kept: !exchanged, weight: None };
        let ridge = |reference: &Reference| {
            let (model, loss) = (RIDGE.to_owned(), reference.unseen.loss);
            Candidate { model, loss, kept: exchanged, weight: None }
        };
        let ridge = self.reference.as_ref().map(ridge);
        std::iter::once(own).chain(ridge).chain([self.constant()]).collect()
    }

    /// The constant as a candidate.
    pub(super) fn constant(&self) -> Candidate {
        Candidate { model: "constant".to_owned(), loss: self.constant, kept: false, weight: None }
    }

    /// Sentences for the user where a rival does better than the model, or took its place; `rows` are what judges.
    pub(super) fn notes(&self, rows: &str, task: Task, exchanged: bool) -> Vec<String> {
        let loss = self.own.loss;
        let mut notes = Vec::new();
        let mut kept = loss;
        if let Some(reference) = self.reference.as_ref().filter(|_| self.is_beaten()) {
            let rival = reference.unseen.loss;
            notes.push(if exchanged {
                kept = rival;
                format!(
                    "the model is ridge regression: on the {rows} its loss is {rival:.4}, that of the networks \
                     {loss:.4}; --candidates networks keeps the networks"
                )
            } else {
                format!(
                    "on the {rows} ridge regression does better (loss {rival:.4}, the model's {loss:.4}): leave --model \
                     open, or say --candidates networks,linear, and the better one is kept"
                )
            });
        }
        notes.extend(self.notes_of(rows, task, kept));
        notes
    }

    /// A sentence where the constant does no worse than a loss.
    pub(super) fn notes_of(&self, rows: &str, task: Task, loss: f64) -> Option<String> {
        let better = matches!(loss.partial_cmp(&self.constant), Some(std::cmp::Ordering::Less));
        (!better).then(|| format!("on the {rows} {}", no_better(task, loss, self.constant)))
    }
}

/// The sentence of a loss that is no less than that of the constant.
pub(super) fn no_better(task: Task, loss: f64, constant: f64) -> String {
    let what = match task {
        Task::Regression => "the mean of the target",
        Task::Classification => "the shares of the classes",
    };
    format!(
        "the model is no better than {what} (loss {loss:.3}, theirs {constant:.3}): do the inputs tell anything of the \
         target? else try --epochs, --model or --optimizer"
    )
}
