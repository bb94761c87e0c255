//! Matrices of `ndarray` and `faer` as those of this crate and back, each behind the feature of its name.

#[cfg(feature = "faer")]
mod with_faer {
    use crate::scalar::Scalar;
    use crate::view::Matrix;

    /// A copy.
    ///
    /// ```
    /// use gramstep::Matrix;
    /// let theirs = faer::mat![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0_f64]];
    /// let ours = Matrix::from(theirs.as_ref());
    /// assert_eq!(ours.row(1), [3.0, 4.0]);
    /// assert_eq!(faer::MatRef::from(&ours), theirs);
    /// ```
    impl<T: Scalar> From<faer::MatRef<'_, T>> for Matrix<T> {
        fn from(matrix: faer::MatRef<'_, T>) -> Self {
            Self::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)])
        }
    }

    /// The same memory.
    impl<'a, T: Scalar> From<&'a Matrix<T>> for faer::MatRef<'a, T> {
        fn from(matrix: &'a Matrix<T>) -> Self {
            Self::from_row_major_slice(matrix.as_slice(), matrix.rows(), matrix.columns())
        }
    }
}

#[cfg(feature = "ndarray")]
mod with_ndarray {
    use ndarray::{Array2, ArrayView2};

    use crate::error::{Error, Result};
    use crate::scalar::Scalar;
    use crate::view::{Matrix, MatrixView};

    /// A copy.
    ///
    /// ```
    /// use gramstep::Matrix;
    /// let theirs = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0_f64]];
    /// let ours = Matrix::from(theirs.clone().reversed_axes());
    /// assert_eq!((ours.rows(), ours.row(1)), (3, &[2.0, 5.0][..]));
    /// assert_eq!(ndarray::Array2::from(ours), theirs.reversed_axes());
    /// ```
    impl<T: Scalar> From<Array2<T>> for Matrix<T> {
        fn from(array: Array2<T>) -> Self {
            let (rows, columns) = array.dim();
            let mut entries = array.into_iter();
            Self::from_fn(rows, columns, |_, _| entries.next().unwrap_or(T::ZERO))
        }
    }

    /// The same memory.
    impl<T: Scalar> From<Matrix<T>> for Array2<T> {
        fn from(matrix: Matrix<T>) -> Self {
            let shape = (matrix.rows(), matrix.columns());
            Self::from_shape_vec(shape, matrix.into_vec()).expect("a matrix has rows times columns entries")
        }
    }

    /// The same memory, row by row or column by column.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) of a view with gaps or an axis that runs backwards: a copy
    /// (`Matrix::from(view.to_owned())`) has none.
    ///
    /// ```
    /// use gramstep::{Activation, MatrixView, Model};
    /// let x = ndarray::array![[1.0, 2.0], [3.0, 4.0_f64]];
    /// let model = Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).build()?;
    /// assert_eq!(model.predict(MatrixView::try_from(x.view())?)?.rows(), 2);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    impl<'a, T: Scalar> TryFrom<ArrayView2<'a, T>> for MatrixView<'a, T> {
        type Error = Error;

        fn try_from(view: ArrayView2<'a, T>) -> Result<Self> {
            let (rows, columns) = view.dim();
            let strides = view.strides().iter().map(|&stride| usize::try_from(stride).ok());
            let strides = strides.collect::<Option<Vec<_>>>();
            let (Some(data), Some(&[row, column])) = (view.to_slice_memory_order(), strides.as_deref()) else {
                let (name, value) = ("strides of a view", format!("{:?}", view.strides()));
                return Err(Error::Setting { name, value, range: "those of memory without gaps" });
            };
            Self::strided(data, rows, columns, row, column)
        }
    }
}
