//! Remarks on columns, summed up: a sentence for each of a few columns, one for many of the same kind.

use super::text::count;

/// More columns than these share a sentence.
const MOST: usize = 3;

/// Remarks of several kinds, in the order of their first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remarks(Vec<Kind>);

#[derive(Clone, Debug)]
struct Kind {
    name: String,
    /// Column and what is said of it.
    of: Vec<(String, String)>,
    columns: usize,
}

impl Remarks {
    /// A remark on a column; remarks of one kind can be made in one sentence, with that of the first as an example.
    pub(crate) fn add(&mut self, kind: &str, column: &str, text: impl Into<String>) {
        let at = self.0.iter().position(|known| known.name == kind).unwrap_or_else(|| {
            self.0.push(Kind { name: kind.to_owned(), of: Vec::new(), columns: 0 });
            self.0.len() - 1
        });
        let kind = &mut self.0[at];
        kind.columns += 1;
        if kind.of.len() < MOST {
            kind.of.push((column.to_owned(), text.into()));
        }
    }

    /// The sentences.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for Kind { of, columns, .. } in &self.0 {
            if columns == &of.len() {
                sentences.extend(of.iter().map(|(column, text)| format!("`{column}`{text}")));
            } else {
                let named: Vec<String> = of.iter().map(|(column, _)| format!("`{column}`")).collect();
                let (others, more) =
                    (count(columns - of.len()), if columns - of.len() == 1 { "column" } else { "columns" });
                sentences.push(format!(
                    "{} and {others} more {more} alike: `{}`{}",
                    named.join(", "),
                    of[0].0,
                    of[0].1
                ));
            }
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_remarks_of_a_kind_are_one_sentence() {
        let mut remarks = Remarks::default();
        for column in ["a", "b", "c", "d", "e"] {
            remarks.add("gaps", column, ": 5 gaps");
        }
        remarks.add("text", "f", ": text");
        assert_eq!(remarks.sentences(), ["`a`, `b`, `c` and 2 more columns alike: `a`: 5 gaps", "`f`: text"]);
    }
}
