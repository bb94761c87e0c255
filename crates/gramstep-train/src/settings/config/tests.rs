//! The table of settings against the configuration.

use std::collections::BTreeSet;

use super::*;
use crate::data::Geometry;
use crate::error::Error;
use crate::settings::{Facts, SETTINGS};

/// The setting of a key of a file.
fn name(key: &str) -> String {
    key.replace('_', "-")
}

fn names(table: &toml::Table) -> BTreeSet<String> {
    table.keys().filter(|key| *key != "format_version").map(|key| name(key)).collect()
}

/// Every setting at its example.
fn full() -> Config {
    let mut config = Config::default();
    for setting in SETTINGS {
        config.set(setting.name, setting.example).unwrap();
    }
    config
}

#[test]
fn the_table_has_every_field_of_the_configuration_once() {
    let fields = serde_json::to_value(Config::default()).unwrap();
    let fields: Vec<String> = fields.as_object().unwrap().keys().map(|key| name(key)).collect();
    assert_eq!(fields.len(), SETTINGS.len() + 1, "a field for each setting, and one for the version");
    assert!(SETTINGS.iter().all(|setting| fields.contains(&setting.name.to_owned())));
}

#[test]
fn every_setting_is_read_from_its_text_and_written_so_that_it_is_read_again() {
    for setting in SETTINGS {
        let mut config = Config::default();
        assert_eq!(config.given().count(), 0);
        config.set(setting.name, setting.example).unwrap();
        assert_eq!(config.given().map(|given| given.name).collect::<Vec<_>>(), [setting.name]);
        let file = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&file).unwrap(), config, "{file}");
        let text = match &file.parse::<toml::Table>().unwrap()[&setting.name.replace('-', "_")] {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(parts) => parts.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(","),
            number => number.to_string(),
        };
        let mut read = Config::default();
        read.set(setting.name, &text).unwrap();
        assert_eq!(read, config, "{} from {text}", setting.name);
        assert_eq!(Config::default().overridden_by(config.clone()), config);
        assert_eq!(config.clone().overridden_by(Config::default()), config);
    }
}

#[test]
fn the_settings_of_a_run_are_all_of_the_table_but_the_preset_which_is_settled_by_then() {
    // Of ridge and weight decay a run has one.
    let config = Config { weight_decay: None, ..full() };
    config.validate().unwrap();
    let image = Some(Geometry::new(64, 48, 1));
    let task = Task::Classification;
    let facts =
        Facts { samples: 100, rows: 110, targets: 3, outputs: 3, task, validation: true, validation_share: 0.1, image };
    let settings = Settings::complete(&config, facts, &config.target).unwrap();
    let file = toml::to_string(&settings).unwrap();
    let written = names(&file.parse().unwrap());
    let expected = SETTINGS
        .iter()
        .map(|setting| setting.name.to_owned())
        .filter(|name| !["preset", "weight-decay"].contains(&name.as_str()))
        .collect();
    assert_eq!(written, expected);
    let read: Config = toml::from_str(&file).unwrap();
    assert_eq!(read, Config { preset: None, ..config });
}

#[test]
fn what_a_setting_names_is_in_the_table_its_help_is_one_line_and_what_it_may_be_is_said() {
    for setting in SETTINGS {
        let others = setting.excludes.iter().chain(&setting.needs);
        others.for_each(|other| assert!(Setting::named(other).is_ok(), "{other}"));
        let help = setting.help();
        assert!(!help.is_empty() && !help.contains('\n') && !help.contains("  "), "{help}");
        if let Err(Error::Setting { range, .. }) = Config::default().set(setting.name, "?") {
            assert!(!range.is_empty(), "{}: a number without a range", setting.name);
        }
    }
}
