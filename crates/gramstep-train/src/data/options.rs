//! What a user says about the data: where they are, what is learned from them, how they are read and split.

use super::{ImageSettings, Learning, Portion, Source, Task};

/// Where the data are, what is learned from them, and which rows are for what.
///
/// ```
/// use gramstep_train::data::{DataOptions, Problem};
/// let problem = Problem::load(&DataOptions::of("builtin:diabetes".parse()?))?;
/// assert_eq!(problem.preprocessing.targets.columns(), ["progression"]);
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DataOptions {
    /// Where the data are.
    pub source: Source,
    /// The columns to learn; empty for the last one.
    pub target: Vec<String>,
    /// The columns to leave out.
    pub drop: Vec<String>,
    /// The column with the weight of every row.
    pub weights: Option<String>,
    /// Regression or classification; none to see it from the targets.
    pub task: Option<Task>,
    /// How a regression learns its targets.
    pub learning: Learning,
    /// Rows that are only judged at the end; none for what suits the data.
    pub test: Option<Portion>,
    /// Rows that choose when to stop; none for what suits the data.
    pub validation: Option<Portion>,
    /// Whether exact copies of a row are joined to one of their summed weight. Kernel matrices want every row.
    pub join_copies: bool,
    /// How images are read.
    pub images: ImageSettings,
    /// Of the split.
    pub seed: u64,
}

impl DataOptions {
    /// All columns of a source, the last one to learn, split as suits the data.
    #[must_use]
    pub fn of(source: Source) -> Self {
        Self {
            source,
            target: Vec::new(),
            drop: Vec::new(),
            weights: None,
            task: None,
            learning: Learning::default(),
            test: None,
            validation: None,
            join_copies: true,
            images: ImageSettings::default(),
            seed: 0,
        }
    }

    /// The same with all rows as they stand, to learn from: none is joined, left out or kept for judging.
    #[must_use]
    pub fn whole(self) -> Self {
        let none = Some(Portion::Fraction(0.0));
        Self { test: none.clone(), validation: none, join_copies: false, ..self }
    }

    /// The rows to test on: as the user says, or as they come with the source.
    pub(super) fn test_or_own(&self) -> Option<Portion> {
        let own = || self.source.test().map(|source| Portion::File(source.to_string().into()));
        self.test.clone().or_else(own)
    }
}
