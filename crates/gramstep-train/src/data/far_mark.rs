//! Numbers that may stand for gaps: -999 and its kin, far from all others.

use super::{Cells, Column};

/// Numbers that people write where they have none.
const MARKS: [f64; 10] = [-9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999_999.0];

/// What is said of a column of which the lowest or the highest number is such a mark and comes more than once, if it is the
/// only one below 0 or further from the others than they are from one another.
pub(super) fn far_mark(column: &Column, rows: &[usize]) -> Option<String> {
    let Cells::Numbers(values) = &column.cells else { return None };
    let present = || rows.iter().map(|&row| values[row]).filter(|value| !value.is_nan());
    let low = present().fold(f64::INFINITY, f64::min);
    let high = present().fold(f64::NEG_INFINITY, f64::max);
    let is_mark = |&end: &f64| MARKS.contains(&end);
    let mark = [low, high].into_iter().find(is_mark)?;
    let others = || present().filter(|&value| value != mark);
    let (from, to) = others().fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), v| (from.min(v), to.max(v)));
    let times = present().count() - others().count();
    let distance = if mark == low { from - mark } else { mark - to };
    let stands_out = distance > to - from || (mark < 0.0 && from >= 0.0);
    (times > 1 && from < to && stands_out).then(|| {
        format!(": {mark} comes {times} times and is like no other number; --missing {mark} takes it for a gap")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    #[test]
    fn a_mark_far_from_all_others_is_said() {
        let said = |cells: &str| {
            let table = table_of(&format!(
                "a,b\n{}",
                cells.split(' ').map(|cell| format!("{cell},x\n")).collect::<Vec<_>>().concat()
            ));
            far_mark(&table.columns()[0], &(0..table.rows()).collect::<Vec<_>>())
        };
        assert!(said("1 2.5 -999 3 -999").is_some_and(|said| said.contains("-999 comes 2 times")));
        assert!(said("1 2.5 9999 3 9999").is_some());
        assert!(said("1 2500 -99 3 -99").is_some());
        for cells in ["1 2 3", "1 -999 3", "-999 -999 -500 -20 600 1000", "99 98 97 99 1", "-999 -999"] {
            assert_eq!(said(cells), None, "{cells}");
        }
    }
}
