//! What is known of a setting apart from its value: its name, its words on the command line, what it belongs to.

use crate::error::Result;

/// One setting of a configuration of type `C`. All of them are in [`SETTINGS`](super::SETTINGS).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry<C> {
    /// As on the command line: `learning-rate`. In a file it is `learning_rate`.
    pub name: &'static str,
    /// What it says, as its documentation has it.
    pub(crate) doc: &'static str,
    /// What help says in place of the documentation.
    pub(crate) help: Option<&'static str>,
    /// What it is when it is left open.
    pub default: Option<&'static str>,
    /// What it belongs to.
    pub group: Group,
    /// How its value is called: `F`, `auto|F`, `COL,..`.
    pub value: &'static str,
    /// A value that it may have.
    pub example: &'static str,
    /// Whether its value is a list with commas.
    pub list: bool,
    /// Whether its value may begin with a hyphen.
    pub hyphen: Hyphen,
    /// Whether it means something to a kernel regression, `--model kernel:..` or `ntk:..`.
    pub kernel: bool,
    /// Who takes it.
    pub taken: Taken,
    /// Settings that cannot be given beside it on the command line.
    pub excludes: &'static [&'static str],
    /// The setting without which it has no meaning.
    pub needs: Option<&'static str>,
    /// Whether a configuration has a value for it.
    pub(crate) given: fn(&C) -> bool,
    /// Reads its value.
    pub(crate) set: fn(&mut C, &str) -> Result<()>,
    /// Checks its value against its range.
    pub(crate) check: fn(&C) -> Result<()>,
}

/// What a setting belongs to: its heading in the help of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// What is learned from.
    Data,
    /// How a table is read.
    Reading,
    /// Of data that are images.
    Images,
    /// What is trained.
    Model,
    /// How it is trained.
    Method,
    /// When training ends.
    Stopping,
    /// What it runs on.
    Machine,
}

impl Group {
    /// The heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Reading => "Reading",
            Self::Images => "Images",
            Self::Model => "Model",
            Self::Method => "Method",
            Self::Stopping => "Stopping",
            Self::Machine => "Machine",
        }
    }
}

/// Whether a value on the command line may begin with a hyphen and yet be a value, which then meets the check of its
/// range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hyphen {
    /// What begins with a hyphen is an option.
    Option,
    /// Negative numbers are values.
    Number,
    /// Whatever follows is the value.
    Value,
}

/// Who takes a setting. The order is that of help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Taken {
    /// Every command that trains.
    Everywhere,
    /// `gramstep train` alone.
    Train,
    /// No command: it is in files alone.
    File,
}

impl<C> Entry<C> {
    /// What the table says where an entry says nothing.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        doc: "",
        help: None,
        default: None,
        group: Group::Method,
        value: "",
        example: "",
        list: false,
        hyphen: Hyphen::Option,
        kernel: false,
        taken: Taken::Everywhere,
        excludes: &[],
        needs: None,
        given: |_| false,
        set: |_, _| Ok(()),
        check: |_| Ok(()),
    };

    /// What help says about it.
    #[must_use]
    pub fn help(&self) -> String {
        let text = self.help.unwrap_or(self.doc).trim().trim_end_matches('.');
        self.default.map_or_else(|| text.to_owned(), |default| format!("{text} [default: {default}]"))
    }
}

/// The name on the command line of a field: hyphens in place of underscores.
pub(crate) const fn dashed<const N: usize>(field: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut place = 0;
    while place < N {
        let byte = field.as_bytes()[place];
        bytes[place] = if byte == b'_' { b'-' } else { byte };
        place += 1;
    }
    bytes
}
