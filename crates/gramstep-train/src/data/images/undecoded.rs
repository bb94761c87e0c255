//! In place of the decoder where the program was built without the feature `images`.

use std::path::PathBuf;

use super::decoded::Decoded;
use super::{Geometry, ImageSettings, Progress};
use crate::error::{Error, Result};

const WITHOUT: &str = "this program was built without images (the feature `images` of gramstep-train)";

fn refusal(files: &[PathBuf]) -> Error {
    files.first().map_or(Error::NoData, |path| Error::Image { path: path.clone(), reason: WITHOUT.to_owned() })
}

pub(super) fn geometry(files: &[PathBuf], _: &ImageSettings) -> Result<Geometry> {
    Err(refusal(files))
}

pub(super) fn decode(files: &[PathBuf], _: Geometry, _: &ImageSettings, _: &mut Progress<'_>) -> Result<Decoded> {
    Err(refusal(files))
}

pub(super) fn measure(_: &[u8]) -> std::result::Result<Geometry, String> {
    Err(WITHOUT.to_owned())
}

pub(super) fn fit_grey(_: &[u8], _: u32, _: u32, _: Geometry) -> std::result::Result<Vec<u8>, String> {
    Err(WITHOUT.to_owned())
}

pub(super) fn png(_: &[u8], _: Geometry) -> std::result::Result<Vec<u8>, String> {
    Err(WITHOUT.to_owned())
}
