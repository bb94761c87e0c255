//! Inputs that are called like targets: of a table with many targets of which some are learned, the others would tell
//! what is asked for, and are not there when it is asked.

/// So many columns are named.
const MOST_NAMED: usize = 3;

/// A sentence about inputs that are called like the targets: with another number, or, for each of several targets, with
/// the same other word.
pub(super) fn siblings(targets: &[String], inputs: &[&str]) -> Option<String> {
    let targets: Vec<Vec<&str>> = targets.iter().map(|name| parts(name)).collect();
    let inputs: Vec<(&str, Vec<&str>)> = inputs.iter().map(|&name| (name, parts(name))).collect();
    let mut partners: Vec<((usize, &str), usize)> = Vec::new();
    for target in &targets {
        for (_, input) in &inputs {
            if let Some((place, word)) = difference(target, input).filter(|(_, word)| !is_number(word)) {
                match partners.iter_mut().find(|(partner, _)| *partner == (place, word)) {
                    Some((_, count)) => *count += 1,
                    None => partners.push(((place, word), 1)),
                }
            }
        }
    }
    let all = |at: (usize, &str)| {
        targets.len() > 1 && partners.iter().any(|&(partner, count)| partner == at && count >= targets.len())
    };
    let is_like = |input: &Vec<&str>| {
        let differences = targets.iter().filter_map(|target| difference(target, input));
        differences.into_iter().any(|(place, word)| is_number(word) || all((place, word)))
    };
    let found: Vec<&str> = inputs.iter().filter(|(_, input)| is_like(input)).map(|(name, _)| *name).collect();
    found.first()?;
    let named: Vec<String> = found.iter().take(MOST_NAMED).map(|name| format!("`{name}`")).collect();
    let more = found.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (are, they, targets) = match (found.len(), targets.len()) {
        (1, 1) => ("is", "it is", "target"),
        (_, 1) => ("are", "they are", "target"),
        (1, _) => ("is", "it is", "targets"),
        _ => ("are", "they are", "targets"),
    };
    Some(format!(
        "{}{more} {are} called like the {targets}, and {are} taken for input: if {they} not known where a prediction is asked \
         for, leave out with --drop, which takes ranges and patterns as --target does",
        named.join(", ")
    ))
}

/// Numbers and words of a name, in turn.
fn parts(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let is_digit = |at: usize| bytes[at].is_ascii_digit();
    let cuts: Vec<usize> = (1..bytes.len()).filter(|&at| is_digit(at) != is_digit(at - 1)).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([name.len()]);
    starts.zip(ends).map(|(start, end)| &name[start..end]).collect()
}

/// The one part of the other name that differs, and its place; it is a number where that of the first one is.
fn difference<'a>(one: &[&str], other: &[&'a str]) -> Option<(usize, &'a str)> {
    let mut differ = one.iter().zip(other).enumerate().filter(|(_, (a, b))| a != b).map(|(at, (a, b))| (at, *a, *b));
    let (at, from, to) = differ.next().filter(|_| one.len() == other.len())?;
    // A name that is one word has nothing in common with another.
    (differ.next().is_none() && one.len() > 1 && is_number(from) == is_number(to)).then_some((at, to))
}

fn is_number(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(targets: &[&str], inputs: &[&str]) -> Option<String> {
        siblings(&targets.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), inputs)
    }

    #[test]
    fn what_is_called_like_a_target_is_said() {
        let text = said(&["x0"], &["x1", "x2", "age"]).unwrap();
        assert!(text.starts_with("`x1`, `x2` are called like the target,"), "{text}");
        let text = said(&["p0_x", "p1_x"], &["p0_y", "p1_y", "p0_z", "size"]).unwrap();
        assert!(text.starts_with("`p0_y`, `p1_y` are called like the targets,"), "{text}");
        let text = said(&["x0", "x1"], &["y0", "y1", "y2", "x2", "x3", "z"]).unwrap();
        assert!(text.starts_with("`y0`, `y1`, `x2` and 1 more are called"), "{text}");
    }

    #[test]
    fn names_of_their_own_are_not() {
        for (targets, inputs) in [
            (&["y"][..], &["x", "z", "1"][..]),
            (&["x0"], &["y0"]),
            (&["price", "rent"], &["rooms"]),
            (&["y1", "y2"], &["x1"]),
        ] {
            assert_eq!(said(targets, inputs), None, "{targets:?} {inputs:?}");
        }
    }
}
