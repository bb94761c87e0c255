//! NPY, NumPy's format of one array: a header that is the text of a Python dictionary, then the numbers.
//!
//! Written by hand: matrices are written piece by piece and read column by column, for which the header is all that is
//! needed, and the libraries for the format bring a parser generator and fail by panic on absurd shapes.

use std::io::{self, Write};

use gramstep::Matrix;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The header of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's name of the number type, such as `<f8`.
    pub(crate) kind: String,
    /// Whether the first index runs fastest.
    pub(crate) fortran: bool,
    /// Length along every axis.
    pub(crate) shape: Vec<usize>,
}

impl Header {
    /// Of a matrix, row by row.
    pub(crate) fn of_matrix(kind: &str, rows: usize, columns: usize) -> Self {
        Self { kind: kind.to_owned(), fortran: false, shape: vec![rows, columns] }
    }

    /// The bytes before the numbers.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { kind, fortran, shape } = self;
        let fortran = if *fortran { "True" } else { "False" };
        let mut lengths = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if shape.len() == 1 {
            lengths.push(','); // a tuple of one
        }
        let mut text = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': ({lengths}), }}");
        // Magic, version and length take 10 bytes; the whole header is a multiple of 64, its last byte a newline.
        let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
        text.extend(std::iter::repeat_n(' ', length - text.len() - 1));
        text.push('\n');
        let mut header = [MAGIC, b"\x01\x00"].concat();
        header.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        header.extend(text.into_bytes());
        header
    }

    /// The header at the start of a file, and the numbers after it.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let cut = || "the file ends within the header".to_owned();
        let rest = bytes.strip_prefix(MAGIC).ok_or("not an NPY file: it does not begin with \\x93NUMPY")?;
        let (version, rest) = rest.split_at_checked(2).ok_or_else(cut)?;
        let (length, rest) = match version[0] {
            1 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
            2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
            other => return Err(format!("NPY format version {other}; versions 1 to 3 are read")),
        }
        .ok_or_else(cut)?;
        let (text, numbers) = rest.split_at_checked(length).ok_or_else(cut)?;
        let text = std::str::from_utf8(text).map_err(|_| "the header is not text")?;
        let after = |key: &str| {
            let at = text.find(&format!("'{key}':"))?;
            Some(text[at + key.len() + 3..].trim_start())
        };
        let kind = after("descr").ok_or("the header lacks `descr`")?;
        let kind = (kind.strip_prefix('\'').and_then(|kind| kind.split_once('\'')))
            .ok_or("an array of records; arrays of plain numbers are read")?;
        let fortran = after("fortran_order").ok_or("the header lacks `fortran_order`")?.starts_with("True");
        let shape = after("shape").and_then(|shape| shape.strip_prefix('(')?.split_once(')'));
        let shape = (shape.ok_or("the header lacks `shape`")?.0.split(',').map(str::trim))
            .filter(|length| !length.is_empty())
            .map(|length| length.parse().map_err(|_| format!("`{length}` in the shape is not a length")))
            .collect::<Result<_, _>>()?;
        Ok((Self { kind: kind.0.to_owned(), fortran, shape }, numbers))
    }
}

/// An array of numbers in a file of which the bytes are in memory.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    pub(crate) header: Header,
    number: fn(&[u8]) -> f64,
    size: usize,
    bytes: &'a [u8],
}

/// How a number of each type becomes f64 (integers beyond 2⁵³ are rounded), and its bytes.
type Decoder = (fn(&[u8]) -> f64, usize);

/// The decoders of one type, little and big endian. Chunks have the type's length, so no byte is ever missing.
macro_rules! decoders {
    ($type:ty) => {{
        const SIZE: usize = size_of::<$type>();
        let little: Decoder = (|bytes| <$type>::from_le_bytes(bytes.try_into().unwrap_or([0; SIZE])) as f64, SIZE);
        let big: Decoder = (|bytes| <$type>::from_be_bytes(bytes.try_into().unwrap_or([0; SIZE])) as f64, SIZE);
        (little, big)
    }};
}

#[allow(clippy::cast_lossless)] // one macro for types that f64 holds and types that it rounds
fn decoder(kind: &str) -> Result<Decoder, String> {
    let (order, name) = kind.split_at_checked(1).unwrap_or(("", kind));
    let (little, big) = match name {
        "f8" => decoders!(f64),
        "f4" => decoders!(f32),
        "i8" => decoders!(i64),
        "i4" => decoders!(i32),
        "i2" => decoders!(i16),
        "i1" => decoders!(i8),
        "u8" => decoders!(u64),
        "u4" => decoders!(u32),
        "u2" => decoders!(u16),
        "u1" | "b1" => decoders!(u8),
        _ => return Err(format!("numbers of type `{kind}`; floats of 32 or 64 bits, integers and booleans are read")),
    };
    match order {
        "<" | "|" | "=" => Ok(little),
        ">" => Ok(big),
        _ => Err(format!("`{kind}` is not a number type")),
    }
}

impl<'a> Array<'a> {
    /// The array in the bytes of a file; an error says what is wrong with it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (header, bytes) = Header::parse(bytes)?;
        let (number, size) = decoder(&header.kind)?;
        let needed = header.shape.iter().try_fold(size, |bytes, &length| bytes.checked_mul(length));
        if needed != Some(bytes.len()) {
            let shape = header.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
            return Err(format!("{} bytes of numbers do not make an array of {shape} {}", bytes.len(), header.kind));
        }
        Ok(Self { header, number, size, bytes })
    }

    /// Rows and columns: an array with one axis is one column. None for more axes, or none.
    pub(crate) fn matrix_shape(&self) -> Option<(usize, usize)> {
        match self.header.shape[..] {
            [rows] => Some((rows, 1)),
            [rows, columns] => Some((rows, columns)),
            _ => None,
        }
    }

    /// A column of an array with one or two axes.
    pub(crate) fn column(&self, column: usize) -> Vec<f64> {
        let (rows, columns) = self.matrix_shape().unwrap_or_default();
        let (start, stride) = if self.header.fortran { (column * rows, 1) } else { (column, columns) };
        let numbers = self.bytes.chunks_exact(self.size).skip(start).step_by(stride.max(1));
        numbers.take(rows).map(self.number).collect()
    }
}

/// Writes a matrix of 64-bit floats.
pub(crate) fn write(matrix: &Matrix<f64>, mut out: impl Write) -> io::Result<()> {
    out.write_all(&Header::of_matrix("<f8", matrix.rows(), matrix.columns()).bytes())?;
    for value in matrix.as_slice() {
        out.write_all(&value.to_le_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: &str, fortran: bool, shape: &[usize], numbers: &[u8]) -> Vec<u8> {
        let header = Header { kind: kind.to_owned(), fortran, shape: shape.to_vec() };
        [header.bytes().as_slice(), numbers].concat()
    }

    #[test]
    fn a_header_is_as_numpy_writes_it() {
        for (shape, text) in [(vec![3, 4], "(3, 4)"), (vec![5], "(5,)"), (vec![], "()")] {
            let header = Header { kind: "<f8".to_owned(), fortran: false, shape };
            let bytes = header.bytes();
            let expected = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {text}, }}");
            assert!(std::str::from_utf8(&bytes[10..]).unwrap().starts_with(&expected));
            assert_eq!((bytes.len() % 64, bytes.last()), (0, Some(&b'\n')));
            assert_eq!(Header::parse(&bytes).unwrap(), (header, &[][..]));
        }
    }

    #[test]
    fn every_number_type_and_order_is_read() {
        let columns = |bytes: &[u8]| {
            let array = Array::parse(bytes).unwrap();
            (0..array.matrix_shape().unwrap().1).map(|j| array.column(j)).collect::<Vec<_>>()
        };
        let doubles: Vec<u8> = [1.5_f64, -2.0, f64::NAN, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let by_row = columns(&file("<f8", false, &[2, 3], &doubles));
        assert_eq!((&by_row[0], &by_row[1]), (&vec![1.5, 4.0], &vec![-2.0, 5.0]));
        assert!(by_row[2][0].is_nan());
        let by_column = columns(&file("<f8", true, &[2, 3], &doubles));
        assert_eq!((&by_column[0], &by_column[2]), (&vec![1.5, -2.0], &vec![5.0, 6.0]));
        assert_eq!(columns(&file(">i2", false, &[2], &[255, 254, 1, 0])), [[-2.0, 256.0]]);
        assert_eq!(columns(&file("|b1", false, &[2, 1], &[0, 1])), [[0.0, 1.0]]);
        assert_eq!(columns(&file("<u8", false, &[1], &u64::MAX.to_le_bytes())), [[u64::MAX as f64]]);
        assert_eq!(columns(&file("<f4", false, &[1], &0.1_f32.to_le_bytes())), [[f64::from(0.1_f32)]]);
    }

    #[test]
    fn a_written_matrix_is_read_back_to_the_last_bit() {
        let matrix = Matrix::from_fn(3, 2, |i, j| (i as f64 - 0.1) / (j as f64 + 3.0));
        let mut bytes = Vec::new();
        write(&matrix, &mut bytes).unwrap();
        let array = Array::parse(&bytes).unwrap();
        assert_eq!(array.matrix_shape(), Some((3, 2)));
        assert!((0..2).all(|j| array.column(j) == (0..3).map(|i| matrix.row(i)[j]).collect::<Vec<_>>()));
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused() {
        let error = |bytes: &[u8]| Array::parse(bytes).unwrap_err();
        assert!(error(b"PK\x03\x04").contains("not an NPY file"));
        let whole = file("<f8", false, &[2, 2], &[0; 32]);
        assert!((0..whole.len()).all(|length| Array::parse(&whole[..length]).is_err()));
        assert!(error(&file("<f8", false, &[2, 2], &[0; 40])).contains("2×2"));
        assert!(error(&file("|O", false, &[2], &[0; 16])).contains("`|O`"));
        assert!(error(&file("<U3", false, &[2], &[0; 24])).contains("`<U3`"));
        assert!(error(&file("<f8", false, &[1 << 40, 1 << 40], &[])).contains("bytes"));
    }
}
