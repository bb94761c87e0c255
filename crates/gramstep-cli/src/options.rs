//! Options that several commands share.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use gramstep_train::Result;
use gramstep_train::data::{Format, ReadOptions, Source};
use gramstep_train::settings::{Config, Group, Hyphen, SETTINGS, Setting, Taken, all_processors};

/// What is learned, from what, and how: the options of all settings, with `TRAIN` those too that `train` alone takes.
pub(crate) struct TrainingOptions<const TRAIN: bool> {
    /// What the command line gives, without the file of `--config`: `given.given()` are the settings.
    pub(crate) given: Config,
    file: Option<PathBuf>,
}

impl<const TRAIN: bool> TrainingOptions<TRAIN> {
    /// The configuration: the file, if there is one, overridden by the options.
    pub(crate) fn config(self) -> Result<Config> {
        let file = self.file.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        Ok(file.overridden_by(self.given))
    }

    /// The settings in the order of help: those of all commands first, what takes the place of others last.
    fn settings() -> Vec<&'static Setting> {
        let most = if TRAIN { Taken::Train } else { Taken::Everywhere };
        let mut settings: Vec<_> = SETTINGS.iter().filter(|setting| setting.taken <= most).collect();
        settings.sort_by_key(|setting| (setting.taken, !setting.excludes.is_empty()));
        settings
    }
}

impl<const TRAIN: bool> Args for TrainingOptions<TRAIN> {
    fn augment_args(command: Command) -> Command {
        Self::settings().into_iter().fold(command, |command, setting| {
            let command = command.arg(option(setting));
            // Not settings, but what reads them.
            if setting.name == "data" { command.arg(format_option()).arg(config_option()) } else { command }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const TRAIN: bool> FromArgMatches for TrainingOptions<TRAIN> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut given = Config::default();
        Self::settings().into_iter().try_for_each(|setting| take(setting, matches, &mut given))?;
        given.data = given.data.map(|data| formatted(data, matches.get_one("format").copied()));
        Ok(Self { given, file: matches.get_one("config").cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The option of a setting. Its value stays text, once it is known to be one.
fn option(setting: &'static Setting) -> Arg {
    let check = |text: &str| Config::default().set(setting.name, text).map(|()| text.to_owned()).map_err(allowed);
    Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.value)
        .help(setting.help())
        .help_heading(setting.group.heading())
        .value_parser(check)
        .action(if setting.list { ArgAction::Append } else { ArgAction::Set })
        .allow_negative_numbers(setting.hyphen == Hyphen::Number)
        .allow_hyphen_values(setting.hyphen == Hyphen::Value)
        .conflicts_with_all(setting.excludes)
}

fn format_option() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help(
            "How the data are laid out, where their name does not tell: csv, tsv, npy, npz, afad, rsna, classes or idx",
        )
        .help_heading(Group::Data.heading())
        .value_parser(parse::<Format>)
        .requires("data")
}

fn config_option() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE.toml")
        .help("Settings from a file; options given here come first")
        .help_heading(Group::Data.heading())
        .value_parser(value_parser!(PathBuf))
}

/// The text of a source that is read in this format.
pub(crate) fn formatted(data: String, format: Option<Format>) -> String {
    match format {
        Some(format) => format!("{format}:{data}"),
        None => data,
    }
}

/// Rows for a trained model.
#[derive(Args)]
pub(crate) struct RowOptions {
    /// The rows: a table or images with the columns of the training data
    #[arg(long, value_name = "SRC")]
    data: String,
    /// How the rows are laid out, where their name does not tell: csv, tsv, npy, npz, afad, rsna, classes or idx
    #[arg(long, value_parser = parse::<Format>)]
    format: Option<Format>,
}

impl RowOptions {
    pub(crate) fn source(&self) -> Result<Source> {
        formatted(self.data.clone(), self.format).parse()
    }
}

/// What is said of the cells of a table, where it is not as it was in training.
#[derive(Default)]
pub(crate) struct ReadingOptions(Config);

impl ReadingOptions {
    fn settings() -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().filter(|setting| setting.group == Group::Reading)
    }

    pub(crate) fn options(&self) -> Result<ReadOptions> {
        self.0.read_options()
    }
}

impl Args for ReadingOptions {
    fn augment_args(command: Command) -> Command {
        Self::settings().fold(command, |command, setting| command.arg(option(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ReadingOptions {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut given = Config::default();
        Self::settings().try_for_each(|setting| take(setting, matches, &mut given))?;
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Takes a setting from the command line, if it is there.
fn take(setting: &Setting, matches: &ArgMatches, given: &mut Config) -> std::result::Result<(), clap::Error> {
    let Some(texts) = matches.get_many::<String>(setting.name) else { return Ok(()) };
    // A list that is given twice is one list; its parts are told apart by the library.
    let text = texts.map(String::as_str).collect::<Vec<_>>().join(",");
    let fault = |error| clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n"));
    given.set(setting.name, &text).map_err(fault)
}

/// How a command talks.
#[derive(Args, Clone, Copy)]
pub(crate) struct TalkOptions {
    /// Print one JSON object on stdout
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) json: bool,
    /// Say nothing on stderr but errors
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
}

/// Threads of a command.
pub(crate) fn threads(text: &str) -> std::result::Result<usize, String> {
    let mut config = Config::default();
    config.set("threads", text).and_then(|()| config.validate()).map_err(allowed)?;
    Ok(config.threads.unwrap_or_else(all_processors))
}

/// Parses an option by the library; what it has to be follows the value in the message.
pub(crate) fn parse<T: std::str::FromStr<Err = gramstep_train::Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(allowed)
}

/// What a value has to be.
fn allowed(error: gramstep_train::Error) -> String {
    match error {
        gramstep_train::Error::Setting { range, .. } => range,
        other => other.hint().map_or_else(|| other.to_string(), |hint| format!("{other}\n  hint: {hint}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const TRAIN: bool>(arguments: &str) -> std::result::Result<TrainingOptions<TRAIN>, clap::Error> {
        let command = TrainingOptions::<TRAIN>::augment_args(Command::new("command").no_binary_name(true));
        TrainingOptions::from_arg_matches(&command.try_get_matches_from(arguments.split_whitespace())?)
    }

    #[test]
    fn every_setting_that_a_command_takes_has_an_option_that_reads_it() {
        for setting in SETTINGS {
            let arguments = format!("--{} {}", setting.name, setting.example);
            let given = |options: TrainingOptions<true>| options.given.given().map(|given| given.name).collect();
            let read_by_train: Option<Vec<_>> = read(&arguments).ok().map(given);
            assert_eq!(read_by_train, (setting.taken <= Taken::Train).then(|| vec![setting.name]), "{arguments}");
            assert_eq!(read::<false>(&arguments).is_ok(), setting.taken == Taken::Everywhere, "{arguments}");
        }
    }

    #[test]
    fn what_the_command_line_gives_comes_before_the_file_and_is_told_apart_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "epochs = 3\nseed = 5\n").unwrap();
        let arguments = format!("--config {} --epochs 4 --drop a --drop b,c", path.display());
        let options: TrainingOptions<true> = read(&arguments).unwrap();
        assert_eq!(options.given.given().map(|setting| setting.name).collect::<Vec<_>>(), ["drop", "epochs"]);
        let config = options.config().unwrap();
        assert_eq!((config.epochs, config.seed), (Some(4), Some(5)));
        assert_eq!(config.drop, ["a", "b", "c"]);
    }
}
