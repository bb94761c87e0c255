//! What two runs that are to be alike have written.

use std::path::Path;

use serde_json::Value;

/// The record without what may differ: times, and the folder's name.
pub(crate) fn record(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("record.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        if let Some(report) = value.get_mut("report").and_then(Value::as_object_mut) {
            report.remove("seconds");
            report.remove("run");
        }
        value
    };
    text.lines().map(line).collect()
}
