//! stdout and stderr, neither of which may end a command: work goes on with stderr full or closed, and a reader of stdout
//! that has seen enough is no error.

use std::fmt;
use std::io::{self, ErrorKind, Write, stderr, stdout};

/// Tells a line on stderr, if it can be told.
pub(crate) fn say(text: impl fmt::Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Tells notes.
pub(crate) fn notes(notes: &[String]) {
    for note in notes {
        say(format_args!("note: {note}"));
    }
}

/// Prints a result. A reader that has left, as in `gramstep .. | head -1`, wants no more.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    enough(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What came of writing to stdout, where it is no error that its reader has left.
pub(crate) fn enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
