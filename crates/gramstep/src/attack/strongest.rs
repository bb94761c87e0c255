//! Several attacks, the best point of all.

use super::{Attack, Search};
use crate::error::Result;
use crate::scalar::Scalar;

/// Runs several attacks on each sample and keeps the best point that any of them found.
///
/// ```
/// use gramstep::attack::{Apgd, Pgd, Strongest};
/// let attack = Strongest::<f64>::new(vec![Box::new(Pgd::new(40).with_restarts(5)), Box::new(Apgd::new(100))]);
/// ```
pub struct Strongest<T>(Vec<Box<dyn Attack<T> + Send>>);

impl<T: Scalar> Strongest<T> {
    /// These attacks, one after the other.
    #[must_use]
    pub fn new(attacks: Vec<Box<dyn Attack<T> + Send>>) -> Self {
        Self(attacks)
    }
}

impl<T: Scalar> Attack<T> for Strongest<T> {
    fn name(&self) -> &'static str {
        "strongest"
    }

    fn check(&self) -> Result<()> {
        self.0.iter().try_for_each(|attack| attack.check())
    }

    fn evaluations(&self) -> usize {
        self.0.iter().map(|attack| attack.evaluations()).sum()
    }

    fn starts_at_the_sample(&self) -> bool {
        self.0.first().is_some_and(|attack| attack.starts_at_the_sample())
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        for (at, attack) in self.0.iter().enumerate() {
            if at > 0 && attack.starts_at_the_sample() {
                search.ascend(search.clean())?;
            }
            attack.search(search)?;
        }
        Ok(())
    }
}
