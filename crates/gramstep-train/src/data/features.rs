//! Inputs of rows: a matrix, or images that stay bytes until their numbers are asked for.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, OnceLock};

use gramstep::{Matrix, MatrixView, Scalar};

use super::encoding::intensity;
use super::{Images, Standardisation};

/// The preprocessed inputs of some rows, n×d. Used as a [`Matrix`], which it derefs to.
///
/// Of images the bytes are kept, an eighth or a quarter of the numbers; a choice of rows, as for a batch, shares them. The
/// matrix of all rows is made where it is asked for, and kept from then on; chunks and [choices](Self::select_rows) do without.
#[derive(Clone, Debug)]
pub struct Features<T> {
    matrix: OnceLock<Matrix<T>>,
    pictures: Option<Pictures<T>>,
}

/// Rows of images, each with the numbers that come with it.
#[derive(Clone, Debug)]
struct Pictures<T> {
    sources: Vec<Arc<Images>>,
    /// The source of every row, and its place there.
    rows: Vec<(usize, usize)>,
    /// Of the places of an image.
    scaling: Arc<Standardisation>,
    side: Matrix<T>,
}

/// Rows that can be had piece by piece.
pub(crate) trait InRows<T: Scalar> {
    /// How many there are.
    fn count(&self) -> usize;
    /// Some of them.
    fn chunk(&self, rows: Range<usize>) -> Cow<'_, Matrix<T>>;
}

impl<T: Scalar> InRows<T> for Matrix<T> {
    fn count(&self) -> usize {
        self.rows()
    }

    fn chunk(&self, rows: Range<usize>) -> Cow<'_, Matrix<T>> {
        if rows == (0..self.rows()) {
            Cow::Borrowed(self)
        } else {
            Cow::Owned(self.select_rows(&rows.collect::<Vec<_>>()))
        }
    }
}

impl<T: Scalar> InRows<T> for Features<T> {
    fn count(&self) -> usize {
        self.rows()
    }

    fn chunk(&self, rows: Range<usize>) -> Cow<'_, Matrix<T>> {
        match (self.matrix.get(), &self.pictures) {
            (None, Some(pictures)) => Cow::Owned(pictures.decode(rows)),
            _ => self.deref().chunk(rows),
        }
    }
}

impl<T: Scalar> Features<T> {
    /// Rows of images, standardised by `scaling`, each with its row of `side`.
    pub(super) fn of_images(images: &Arc<Images>, rows: &[usize], scaling: Standardisation, side: Matrix<T>) -> Self {
        let sources = vec![Arc::clone(images)];
        let rows = rows.iter().map(|&row| (0, row)).collect();
        let pictures = Pictures { sources, rows, scaling: Arc::new(scaling), side };
        Self { matrix: OnceLock::new(), pictures: Some(pictures) }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.pictures.as_ref().map_or_else(|| self.deref().rows(), |pictures| pictures.rows.len())
    }

    /// Numbers of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.pictures.as_ref().map_or_else(|| self.deref().columns(), Pictures::columns)
    }

    /// Whether the numbers of all rows are there.
    #[must_use]
    pub fn is_matrix(&self) -> bool {
        self.matrix.get().is_some()
    }

    /// Bytes that they take: of images one for each number, as long as the matrix is not there.
    pub(super) fn bytes(&self) -> usize {
        let matrix = self.matrix.get().map_or(0, |matrix| size_of_val(matrix.as_slice()));
        let pictures = self.pictures.as_ref();
        matrix + pictures.map_or(0, |own| own.rows.len() * own.scaling.columns() + size_of_val(own.side.as_slice()))
    }

    /// The rows named by `indices`, in that order.
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        match &self.pictures {
            None => self.deref().select_rows(indices).into(),
            Some(pictures) => {
                let rows = indices.iter().map(|&at| pictures.rows[at]).collect();
                let pictures =
                    Pictures { rows, side: pictures.side.select_rows(indices), ..pictures.clone_of_sources() };
                Self { matrix: OnceLock::new(), pictures: Some(pictures) }
            }
        }
    }

    /// The same in another scalar type.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Features<U> {
        match &self.pictures {
            None => self.deref().cast().into(),
            Some(Pictures { sources, rows, scaling, side }) => {
                let (sources, rows, scaling) = (sources.clone(), rows.clone(), Arc::clone(scaling));
                let pictures = Pictures { sources, rows, scaling, side: side.cast() };
                Features { matrix: OnceLock::new(), pictures: Some(pictures) }
            }
        }
    }

    /// The same in another scalar type; moved where it is the same type.
    #[must_use]
    pub fn into_type<U: Scalar>(self) -> Features<U> {
        match self.pictures {
            None => self.into_matrix().into_type().into(),
            Some(Pictures { sources, rows, scaling, side }) => {
                let pictures = Pictures { sources, rows, scaling, side: side.into_type() };
                Features { matrix: OnceLock::new(), pictures: Some(pictures) }
            }
        }
    }

    /// All numbers.
    #[must_use]
    pub fn into_matrix(self) -> Matrix<T> {
        match (self.matrix.into_inner(), self.pictures) {
            (Some(matrix), _) => matrix,
            (None, Some(pictures)) => pictures.decode(0..pictures.rows.len()),
            // It is made with the one or the other.
            (None, None) => Matrix::zeros(0, 0),
        }
    }

    /// These rows, then those of others of the same columns.
    pub(super) fn followed_by(&self, other: &Self) -> gramstep::Result<Self> {
        if let (Some(first), Some(second)) = (&self.pictures, &other.pictures)
            && first.scaling == second.scaling
        {
            let shift = first.sources.len();
            let rows = first.rows.iter().copied().chain(second.rows.iter().map(|&(source, row)| (source + shift, row)));
            let pictures = Pictures {
                sources: first.sources.iter().chain(&second.sources).cloned().collect(),
                rows: rows.collect(),
                scaling: Arc::clone(&first.scaling),
                side: stacked(&first.side, &second.side)?,
            };
            return Ok(Self { matrix: OnceLock::new(), pictures: Some(pictures) });
        }
        Ok(stacked(self, other)?.into())
    }

    /// The number in one place.
    pub(super) fn number(&self, row: usize, place: usize) -> T {
        match &self.pictures {
            Some(pictures) if place >= pictures.scaling.columns() => {
                pictures.side[(row, place - pictures.scaling.columns())]
            }
            _ => self[(row, place)],
        }
    }

    /// The numbers that are no pixels, and the first of their places.
    pub(super) fn numbers_mut(&mut self) -> (usize, &mut Matrix<T>) {
        if self.pictures.is_some() {
            self.matrix.take();
        }
        match &mut self.pictures {
            Some(pictures) => (pictures.scaling.columns(), &mut pictures.side),
            None => (0, matrix_of(&mut self.matrix)),
        }
    }
}

impl<T: Scalar> Pictures<T> {
    fn columns(&self) -> usize {
        self.scaling.columns() + self.side.columns()
    }

    /// The same images without rows.
    fn clone_of_sources(&self) -> Self {
        let (sources, scaling) = (self.sources.clone(), Arc::clone(&self.scaling));
        Self { sources, rows: Vec::new(), scaling, side: Matrix::zeros(0, self.side.columns()) }
    }

    /// The numbers of some rows.
    fn decode(&self, rows: Range<usize>) -> Matrix<T> {
        let (columns, pixels) = (self.columns(), self.scaling.columns());
        let mut values = vec![T::ZERO; rows.len() * columns];
        for (at, out) in rows.zip(values.chunks_mut(columns.max(1))) {
            let (source, row) = self.rows[at];
            let scaling = self.scaling.mean.iter().zip(&self.scaling.scale);
            for ((out, &byte), (mean, scale)) in out.iter_mut().zip(self.sources[source].image(row)).zip(scaling) {
                *out = T::from_f64((intensity(byte) - mean) / scale);
            }
            out[pixels..].copy_from_slice(self.side.row(at));
        }
        let count = values.len() / columns.max(1);
        Matrix::from_vec(count, columns, values).unwrap_or_else(|_| Matrix::zeros(0, columns))
    }
}

/// The matrix of a cell, which is filled.
fn matrix_of<T: Scalar>(cell: &mut OnceLock<Matrix<T>>) -> &mut Matrix<T> {
    cell.get_or_init(|| Matrix::zeros(0, 0));
    cell.get_mut().expect("just filled")
}

fn stacked<T: Scalar>(a: &Matrix<T>, b: &Matrix<T>) -> gramstep::Result<Matrix<T>> {
    Matrix::from_vec(a.rows() + b.rows(), a.columns(), [a.as_slice(), b.as_slice()].concat())
}

impl<T> From<Matrix<T>> for Features<T> {
    fn from(matrix: Matrix<T>) -> Self {
        Self { matrix: OnceLock::from(matrix), pictures: None }
    }
}

impl<T: Scalar> Deref for Features<T> {
    type Target = Matrix<T>;

    fn deref(&self) -> &Matrix<T> {
        self.matrix.get_or_init(|| match &self.pictures {
            Some(pictures) => pictures.decode(0..pictures.rows.len()),
            None => Matrix::zeros(0, 0),
        })
    }
}

impl<T: Scalar> DerefMut for Features<T> {
    /// From here on the numbers are all there is.
    fn deref_mut(&mut self) -> &mut Matrix<T> {
        let matrix = std::mem::replace(self, Matrix::zeros(0, 0).into()).into_matrix();
        *self = matrix.into();
        matrix_of(&mut self.matrix)
    }
}

impl<'a, T: Scalar> From<&'a Features<T>> for MatrixView<'a, T> {
    fn from(features: &'a Features<T>) -> Self {
        features.view()
    }
}

impl<T: Scalar> PartialEq for Features<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Geometry;

    /// Six images of 2×2 pixels and the row's number beside each, as bytes and as the matrix that they are.
    fn both() -> (Features<f32>, Matrix<f32>) {
        let geometry = Geometry::new(2, 2, 1);
        let pixels: Vec<u8> = (0..24_u8).map(|i| i.wrapping_mul(37)).collect();
        let images = Arc::new(Images { geometry, pixels: pixels.clone(), gaps: Vec::new() });
        let scaling = Standardisation { mean: vec![0.4; 4], scale: vec![0.3; 4] };
        let side = Matrix::from_fn(6, 1, |i, _| i as f32);
        let value = |i: usize, j: usize| match j {
            4 => i as f32,
            _ => ((f64::from(pixels[4 * i + j]) / 255.0 - 0.4) / 0.3) as f32,
        };
        let rows: Vec<usize> = (0..6).collect();
        (Features::of_images(&images, &rows, scaling, side), Matrix::from_fn(6, 5, value))
    }

    #[test]
    fn images_are_the_same_numbers_as_a_matrix_in_any_choice_of_rows() {
        let (features, matrix) = both();
        assert_eq!((features.rows(), features.columns()), (6, 5));
        let chosen = [4, 1, 1];
        assert_eq!(*features.select_rows(&chosen), matrix.select_rows(&chosen));
        assert_eq!(*features.chunk(2..5), matrix.select_rows(&[2, 3, 4]));
        assert_eq!(*features.cast::<f64>().into_type::<f32>(), matrix);
        let twice = features.followed_by(&features.select_rows(&[5])).unwrap();
        assert_eq!(*twice.select_rows(&[6, 0]), matrix.select_rows(&[5, 0]));
        assert_eq!((features.number(3, 4), features.number(3, 2)), (matrix[(3, 4)], matrix[(3, 2)]));
    }

    #[test]
    fn numbers_of_all_rows_are_made_only_where_all_are_asked_for() {
        let (features, matrix) = both();
        let (_, _, _) = (features.select_rows(&[0]), features.chunk(0..2), features.cast::<f64>());
        let _ = features.number(2, 4);
        assert!(!features.is_matrix() && !features.followed_by(&features).unwrap().is_matrix());
        assert_eq!(features.as_slice(), matrix.as_slice());
        assert!(features.is_matrix());
    }

    #[test]
    fn numbers_beside_images_change_and_pixels_stay() {
        let (mut features, matrix) = both();
        let (first, side) = features.numbers_mut();
        assert_eq!(first, 4);
        side[(2, 0)] = 7.0;
        assert!(!features.is_matrix());
        let mut expected = matrix.clone();
        expected[(2, 4)] = 7.0;
        assert_eq!(*features, expected);
        features[(0, 0)] = 1.0;
        expected[(0, 0)] = 1.0;
        assert_eq!(*features.select_rows(&[0, 2]), expected.select_rows(&[0, 2]));
    }
}
