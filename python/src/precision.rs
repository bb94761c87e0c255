//! Values of either number type.

/// One in single precision or another in double precision.
#[derive(Clone, Debug)]
pub(crate) enum ByPrecision<A, B> {
    /// Single precision.
    F32(A),
    /// Double precision.
    F64(B),
}

/// Runs the same expression for the one that it is.
macro_rules! each {
    ($value:expr, $name:ident => $body:expr) => {
        match $value {
            $crate::precision::ByPrecision::F32($name) => $body,
            $crate::precision::ByPrecision::F64($name) => $body,
        }
    };
}
pub(crate) use each;
