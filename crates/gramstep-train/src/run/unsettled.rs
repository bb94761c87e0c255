//! A run that the user ended while architectures were tried: the best so far is kept, and the configuration leaves the
//! architecture open, so that going on with the run is to choose again.

use gramstep::Scalar;

use super::assignment::Assignment;
use super::kept::Kept;
use super::learnt::Learnt;
use super::plan::Plan;
use crate::error::Result;
use crate::folder::Keep;
use crate::outcome::StopReason;
use crate::outcome::event::{Event, Observer};
use crate::report::write_run;
use crate::settings::{Facts, Settings};

impl<T: Scalar> Assignment<'_, T> {
    /// Keeps the best of the architectures that were tried.
    pub(super) fn keep_unsettled(&self, best: Learnt, keep: Keep<'_>, observer: &mut dyn Observer) -> Result<Learnt> {
        let mut open = self.config.clone();
        // What a file leaves out is what there was not yet when it was written.
        open.candidates.get_or_insert(Settings::candidates(&open, Facts::of(self.problem)));
        open.input_bounds.get_or_insert(Settings::input_bounds(&open));
        let plan = Plan::Open(Box::new(open));
        let mut kept = Kept::begin(keep, self, &plan, observer)?;
        let Learnt { predictor, mut report, config } = best;
        kept.model(&predictor)?;
        report.run = kept.path();
        report.stop_reason = StopReason::Interrupted;
        report.cross_validation = self.folds.map(|of| of.folds.clone());
        let test = self.problem.test.as_ref().filter(|_| self.judges_test);
        report.test = test.map(|test| predictor.judge(test)).transpose()?;
        kept.observe(&Event::Finish(&report))?;
        observer.observe(&Event::Finish(&report))?;
        let go_on = kept.path().map_or_else(String::new, |path| format!("; --resume {path} tries all of them"));
        observer.note(&format!("not all architectures were tried; {} is the best so far{go_on}", report.model))?;
        if let Some(folder) = kept.folder() {
            write_run(folder, &predictor, self.problem)?;
        }
        Ok(Learnt { predictor, report, config })
    }
}
