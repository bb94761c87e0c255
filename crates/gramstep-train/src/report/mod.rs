//! The page that people look at. Uses `training` and below.
//!
//! A page is one HTML file that needs no network and no script. [`Chart`] draws inline SVG, [`Page`]
//! holds headings, text, tables and charts; [`write_runs`] makes the page of one or several runs out of them.

mod axis;
mod chart;
mod draw;
mod escape;
mod judgement;
mod losses;
mod page;
mod palette;
mod rivals;
mod runs;
mod scales;
mod seeds;
mod shown;
mod targets;
mod usage;
mod watched;

pub use axis::Scale;
pub use chart::Chart;
pub use page::{Page, Picture};
pub use runs::write_runs;
pub(crate) use runs::{Told, write_comparison, write_page, write_run};
