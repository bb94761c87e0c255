//! From target columns to what a network is trained on, and back: standardised numbers, one-hot classes, or labels of
//! two values each.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use gramstep::Matrix;
use gramstep::loss::{CrossEntropyLoss, LogisticLoss, Loss};
use serde::{Deserialize, Serialize};

use super::learning::{HEAVY_TAIL, Learning, refusal, tail};
use super::standardisation::is_constant;
use super::{Cells, Labels, LossChoice, Standardisation, Table, Task, Transform, TransformChoice};
use crate::error::{Error, Result, out_of_range};

/// How targets become outputs of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Targets {
    /// One output for each target, standardised.
    Regression {
        /// Names of the targets.
        columns: Vec<String>,
        /// Of the targets.
        standardisation: Standardisation,
        /// What is learned of them.
        #[serde(default, skip_serializing_if = "Transform::is_none")]
        transform: Transform,
        /// By which loss.
        #[serde(default, skip_serializing_if = "LossChoice::is_squared")]
        loss: LossChoice,
    },
    /// One output for each class.
    Classification {
        /// Name of the target.
        column: String,
        /// The classes, in the order of the outputs.
        classes: Vec<String>,
        /// What the classes are the names of.
        #[serde(default)]
        labels: Labels,
    },
    /// One output for each of several targets of two values, the logit of its second value: multi-label classification.
    MultiLabel {
        /// Names of the targets.
        columns: Vec<String>,
        /// The two values of each.
        classes: Vec<[String; 2]>,
        /// What the values of each are the names of.
        labels: Vec<Labels>,
    },
}

impl Targets {
    /// That they were prepared as this asks.
    ///
    /// # Errors
    /// [`Error::Setting`] for another loss or transform.
    pub(crate) fn check_prepared_as(&self, asked: &Learning) -> Result<()> {
        if !matches!(self, Self::Regression { .. }) {
            return if *asked == Learning::default() { Ok(()) } else { Err(asked.refused(self.columns())) };
        }
        let Some((name, other, own)) = self.otherwise(asked) else { return Ok(()) };
        let range = format!("that of the prepared targets, {own}: ask for it there, by Samples::with_learning");
        Err(out_of_range(name, &other, &range))
    }

    /// What of a regression is asked for otherwise than it was prepared: its name, what is asked and what was prepared.
    pub(crate) fn otherwise(&self, asked: &Learning) -> Option<(&'static str, String, String)> {
        let Self::Regression { loss, transform, .. } = self else { return None };
        if let Some(other) = asked.loss.as_ref().filter(|&other| other != loss) {
            return Some(("loss", other.to_string(), loss.to_string()));
        }
        let of = |asked: &str, own: &str| Some(("target-transform", asked.to_owned(), own.to_owned()));
        match (asked.transform, *transform) {
            (Some(TransformChoice::Log), Transform::None) => of("log", "none"),
            (Some(TransformChoice::None), Transform::Log) => of("none", "log"),
            _ => None,
        }
    }

    /// Which task a table's targets suggest: classification for text, regression for numbers.
    ///
    /// # Errors
    /// When a target is not there.
    pub fn guess(table: &Table, columns: &[String]) -> Result<Task> {
        if let Some(task) = table.task
            && columns == table.targets
        {
            return Ok(task);
        }
        for name in columns {
            if let Cells::Text(text) = &table.require(name)?.cells
                && !text.is_mostly_numbers()
            {
                return Ok(Task::Classification);
            }
        }
        Ok(Task::Regression)
    }

    /// The rows that have a value in every target.
    ///
    /// # Errors
    /// When a target is not there.
    pub fn rows(table: &Table, columns: &[String]) -> Result<Vec<usize>> {
        let columns = columns.iter().map(|name| table.require(name)).collect::<Result<Vec<_>>>()?;
        Ok((0..table.rows()).filter(|&row| !columns.iter().any(|column| column.is_missing(row))).collect())
    }

    /// Decides from the given rows, which must have a value in every target; a row of weight w counts as w rows.
    ///
    /// # Errors
    /// When the columns do not fit the task or the loss, or a target is constant.
    pub fn fit(
        table: &Table,
        rows: &[usize],
        weights: Option<&[f64]>,
        columns: &[String],
        task: Task,
        learning: &Learning,
    ) -> Result<Self> {
        match task {
            Task::Regression => fit_regression(table, rows, weights, columns, learning),
            Task::Classification if *learning != Learning::default() => Err(learning.refused(columns)),
            Task::Classification => match columns {
                [column] => fit_classification(table, rows, column),
                _ => fit_labels(table, rows, columns),
            },
        }
    }

    /// Of a regression on columns of finite numbers.
    ///
    /// # Errors
    /// When numbers do not fit loss or transform.
    pub(crate) fn regression(
        columns: Vec<String>,
        values: &[Vec<f64>],
        weights: Option<&[f64]>,
        learning: &Learning,
    ) -> Result<Self> {
        let (standardisation, transform, loss) = learning.settle(&columns, values, weights)?;
        Ok(Self::Regression { columns, standardisation, transform, loss })
    }

    /// A sentence for each target of a regression of which few of the given rows carry most of the squared deviation.
    ///
    /// # Errors
    /// When a target is not there, or not numeric.
    pub(super) fn heavy_tails(&self, table: &Table, rows: &[usize], weights: Option<&[f64]>) -> Result<Vec<String>> {
        let Self::Regression { columns, transform, .. } = self else { return Ok(Vec::new()) };
        let mut notes = Vec::new();
        for name in columns {
            let values = table.numbers(table.require(name)?)?;
            let learned: Vec<f64> = rows.iter().map(|&row| transform.apply(values[row])).collect();
            let share = tail(&learned, weights);
            if share > HEAVY_TAIL {
                let positive = transform.is_none() && rows.iter().all(|&row| values[row] > 0.0);
                let advice = if positive { "; --target-transform log learns its logarithm" } else { "" };
                notes.push(format!(
                    "`{name}` has a heavy tail: 1 % of the rows carry {:.0} % of the squared deviation{advice}",
                    100.0 * share
                ));
            }
        }
        Ok(notes)
    }

    /// Why a number cannot be learned, or judged; none where it can.
    pub(crate) fn refusal(&self, value: f64) -> Option<String> {
        match self {
            Self::Regression { transform, loss, .. } => refusal(*transform, loss, value),
            Self::Classification { .. } | Self::MultiLabel { .. } => None,
        }
    }

    /// That all numbers of some rows can be learned, or judged.
    ///
    /// # Errors
    /// [`Error::Target`] with the line of the first that cannot.
    pub(super) fn check_rows(&self, table: &Table, rows: &[usize]) -> Result<()> {
        let Self::Regression { columns, .. } = self else { return Ok(()) };
        for column in columns {
            let values = table.numbers(table.require(column)?)?;
            let refused = rows.iter().find_map(|&row| self.refusal(values[row]).map(|reason| (row, reason)));
            if let Some((row, reason)) = refused {
                let reason = format!("{reason} ({}:{})", table.origin(), table.lines[row]);
                return Err(Error::Target { column: column.clone(), reason });
            }
        }
        Ok(())
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> Task {
        match self {
            Self::Regression { .. } => Task::Regression,
            Self::Classification { .. } | Self::MultiLabel { .. } => Task::Classification,
        }
    }

    /// Whether its parts fit together.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        match self {
            Self::Regression { columns, standardisation, .. } => standardisation.check("the targets", columns.len()),
            Self::Classification { .. } => Ok(()),
            Self::MultiLabel { columns, classes, labels } => {
                let n = columns.len();
                let fits = n > 0 && classes.len() == n && labels.len() == n;
                if fits { Ok(()) } else { Err("labels without a column, or columns without labels".to_owned()) }
            }
        }
    }

    /// Names of the target columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Regression { columns, .. } | Self::MultiLabel { columns, .. } => columns,
            Self::Classification { column, .. } => std::slice::from_ref(column),
        }
    }

    /// The classes of each target of a classification; none of a regression.
    #[must_use]
    pub fn classes(&self) -> Vec<&[String]> {
        match self {
            Self::Regression { .. } => Vec::new(),
            Self::Classification { classes, .. } => vec![classes],
            Self::MultiLabel { classes, .. } => classes.iter().map(<[String; 2]>::as_slice).collect(),
        }
    }

    /// Number of outputs of the network.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Regression { columns, loss, .. } => columns.len() * loss.outputs(),
            Self::Classification { classes, .. } => classes.len(),
            Self::MultiLabel { columns, .. } => columns.len(),
        }
    }

    /// The loss of training.
    #[must_use]
    pub fn loss(&self) -> Box<dyn Loss> {
        match self {
            Self::Regression { loss, .. } => loss.loss(),
            Self::Classification { .. } => Box::new(CrossEntropyLoss),
            Self::MultiLabel { .. } => Box::new(LogisticLoss),
        }
    }

    /// Whether error bars can be had.
    pub(crate) fn has_residuals(&self) -> bool {
        matches!(self, Self::Regression { loss, .. } if loss.has_residuals())
    }

    /// Standardised targets, one-hot classes, or 0 and 1 of labels, of the given rows.
    ///
    /// # Errors
    /// For a missing column, a cell that is not a number, or an unknown class.
    pub fn apply(&self, table: &Table, rows: &[usize]) -> Result<Matrix<f64>> {
        let outputs = self.outputs();
        let mut values = vec![0.0; rows.len() * outputs];
        match self {
            Self::Regression { columns, .. } => {
                for (j, name) in columns.iter().enumerate() {
                    let numbers = table.numbers(table.require(name)?)?;
                    for (&row, out) in rows.iter().zip(values.chunks_mut(outputs)) {
                        self.place(j, numbers[row], out);
                    }
                }
            }
            Self::Classification { column, classes, .. } => {
                let places = places(table, rows, column, classes)?;
                places.iter().zip(values.chunks_mut(outputs)).for_each(|(&place, out)| out[place] = 1.0);
            }
            Self::MultiLabel { columns, classes, .. } => {
                for (a, (column, classes)) in columns.iter().zip(classes).enumerate() {
                    let places = places(table, rows, column, classes)?;
                    places.iter().zip(values.chunks_mut(outputs)).for_each(|(&place, out)| out[a] = place as f64);
                }
            }
        }
        Ok(Matrix::from_vec(rows.len(), outputs, values)?)
    }
}

/// The place of every row's class.
fn places(table: &Table, rows: &[usize], name: &str, classes: &[String]) -> Result<Vec<usize>> {
    let column = table.require(name)?;
    let places: HashMap<&str, usize> = classes.iter().map(String::as_str).zip(0..).collect();
    let place = |&row: &usize| {
        let class = column.text(row).unwrap_or_default();
        places.get(class.as_str()).copied().ok_or_else(|| Error::UnknownClass {
            origin: table.origin().to_owned(),
            line: table.lines[row],
            column: name.to_owned(),
            class,
        })
    };
    rows.iter().map(place).collect()
}

fn fit_regression(
    table: &Table,
    rows: &[usize],
    weights: Option<&[f64]>,
    columns: &[String],
    learning: &Learning,
) -> Result<Targets> {
    let mut values = Vec::with_capacity(columns.len());
    for name in columns {
        let numbers = table.numbers(table.require(name)?)?;
        let column: Vec<f64> = rows.iter().map(|&row| numbers[row]).collect();
        if is_constant(&column) {
            return Err(Error::ConstantTarget { origin: table.origin().to_owned(), column: name.clone() });
        }
        values.push(column);
    }
    Targets::regression(columns.to_vec(), &values, weights, learning)
}

fn fit_classification(table: &Table, rows: &[usize], column: &str) -> Result<Targets> {
    let classes = distinct(table, rows, column)?;
    Ok(Targets::Classification { column: column.to_owned(), labels: Labels::of(&classes), classes })
}

fn fit_labels(table: &Table, rows: &[usize], columns: &[String]) -> Result<Targets> {
    let mut classes = Vec::with_capacity(columns.len());
    for column in columns {
        let two = <[String; 2]>::try_from(distinct(table, rows, column)?).map_err(|values| Error::Target {
            column: column.clone(),
            reason: format!(
                "{} different values: each of several targets of a classification has two (--task regression learns numbers)",
                values.len()
            ),
        })?;
        classes.push(two);
    }
    let labels = classes.iter().map(|two| Labels::of(two)).collect();
    Ok(Targets::MultiLabel { columns: columns.to_vec(), classes, labels })
}

/// The classes of a column, in their order.
fn distinct(table: &Table, rows: &[usize], name: &str) -> Result<Vec<String>> {
    let column = table.require(name)?;
    let mut classes: Vec<String> = rows.iter().filter_map(|&row| column.text(row)).collect();
    // Numbers by value, before all text.
    classes.sort_unstable_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    });
    classes.dedup();
    if classes.len() < 2 {
        return Err(Error::ConstantTarget { origin: table.origin().to_owned(), column: name.to_owned() });
    }
    // Of all rows, whichever were chosen: copies of a row may have been joined.
    let mut present = 0;
    let values: HashSet<String> =
        (0..table.rows()).filter_map(|row| column.text(row)).inspect(|_| present += 1).collect();
    if 2 * values.len() > present {
        let reason = format!("{} different values in {present} rows are not classes", values.len());
        return Err(Error::Target { column: name.to_owned(), reason });
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataOptions, Problem, table_of};

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn text_targets_are_classes_and_numbers_are_not() {
        let table = table_of("a,b\nx,1\ny,2\nx,3\ny,4\n");
        assert_eq!(Targets::guess(&table, &names("a")).unwrap(), Task::Classification);
        assert_eq!(Targets::guess(&table, &names("b")).unwrap(), Task::Regression);
        let targets =
            Targets::fit(&table, &[0, 1, 2, 3], None, &names("a"), Task::Classification, &Learning::default()).unwrap();
        assert_eq!(targets.apply(&table, &[1, 0]).unwrap().as_slice(), [0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn numeric_classes_are_in_numeric_order() {
        let table = table_of("c\n10\n9\n10\n9\n-1\n-1\n");
        let targets =
            Targets::fit(&table, &[0, 1, 2, 3, 4, 5], None, &names("c"), Task::Classification, &Learning::default())
                .unwrap();
        let Targets::Classification { classes, labels, .. } = targets else { panic!("a classification") };
        assert_eq!((labels, classes), (Labels::Integer, names("-1,9,10")));
    }

    #[test]
    fn numbers_among_text_classes_come_first() {
        let labels: Vec<String> =
            (0..60).map(|i| if i % 2 == 0 { format!("{}", 60 - i) } else { format!("{i}a") }).collect();
        let table = table_of(&format!("c\n{}\n", [&labels[..], &labels].concat().join("\n")));
        let rows: Vec<usize> = (0..120).collect();
        let targets =
            Targets::fit(&table, &rows, None, &names("c"), Task::Classification, &Learning::default()).unwrap();
        let classes = targets.classes()[0];
        assert_eq!((classes.len(), &classes[..2], &classes[29..31]), (60, &names("2,4")[..], &names("60,11a")[..]));
    }

    #[test]
    fn rows_without_a_target_are_not_used() {
        let table = table_of("a,b\n1,1\n,2\n3,\n4,4\n");
        assert_eq!(Targets::rows(&table, &names("a,b")).unwrap(), [0, 3]);
    }

    #[test]
    fn targets_that_cannot_be_learned_are_refused() {
        let table = table_of("a,b,c\n1,x,p\n1,y,q\n1,z,r\n1,w,p\n1,v,q\n1,u,r\n");
        let rows = [0, 1, 2, 3, 4, 5];
        let fit = |columns: &str, task| {
            Targets::fit(&table, &rows, None, &names(columns), task, &Learning::default()).unwrap_err()
        };
        assert!(matches!(fit("a", Task::Regression), Error::ConstantTarget { .. }));
        assert!(matches!(fit("a", Task::Classification), Error::ConstantTarget { .. }));
        assert!(matches!(fit("b", Task::Classification), Error::Target { .. }));
        let error = fit("c,b", Task::Classification).to_string();
        assert!(error.contains("`c`") && error.contains("3 different values"), "{error}");
        assert!(matches!(fit("b", Task::Regression), Error::TextInNumbers { .. }));
        let two =
            Targets::fit(&table, &[0, 1, 3, 1, 0, 3], None, &names("c"), Task::Classification, &Learning::default())
                .unwrap();
        assert!(matches!(two.apply(&table, &[2]), Err(Error::UnknownClass { line: 4, .. })));
    }

    #[test]
    fn classes_are_few_beside_all_rows_however_many_of_them_are_copies() {
        let text = format!("a,y\n{}", "0,no\n1,yes\n".repeat(50));
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        assert_eq!((problem.train.rows(), problem.preprocessing.targets.classes()[0].len()), (2, 2));
        let row = |i: usize| format!("{},c{i}\n", i % 2);
        let different = (0..50).map(row).collect::<String>();
        let refused =
            Problem::of_table(&table_of(&format!("a,y\n{different}")), &DataOptions::of("csv:t".parse().unwrap()));
        assert!(refused.unwrap_err().to_string().contains("50 different values in 50 rows are not classes"));
    }
}
