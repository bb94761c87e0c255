//! Work that cannot be ended from outside, left to itself when the user wants to end it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long work that is nearly done is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at the flag.
const MOMENT: Duration = Duration::from_millis(20);
/// Stack of the working thread: that of a main thread.
const STACK: usize = 8 << 20;

enum Message<R> {
    Share(f64),
    Done(R),
}

/// Does work on a thread of its own, which tells the share that is done; none if `stop` was set and the work was not done
/// soon after. The thread then goes on to the end of the work, or of the program.
pub(super) fn until<R: Send + 'static>(
    stop: &AtomicBool,
    tell: &mut dyn FnMut(f64),
    work: impl FnOnce(&mut dyn FnMut(f64)) -> R + Send + 'static,
) -> Result<Option<R>> {
    let (sender, receiver) = channel();
    let run = move || {
        // Nobody may be listening any more.
        let result = work(&mut |share| _ = sender.send(Message::Share(share)));
        let _ = sender.send(Message::Done(result));
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    let thread = thread.map_err(|error| Error::Threads { reason: error.to_string() })?;
    let mut end: Option<Instant> = None;
    loop {
        match receiver.recv_timeout(MOMENT) {
            Ok(Message::Share(share)) => tell(share),
            Ok(Message::Done(result)) => return Ok(Some(result)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Ok(None),
            },
        }
        if end.is_none() && stop.load(Ordering::Relaxed) {
            end = Some(Instant::now() + PATIENCE);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_waited_for_until_the_user_wants_to_end_it() {
        let (go_on, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        let mut told = Vec::new();
        let done = until(&go_on, &mut |share| told.push(share), |tell| {
            tell(0.5);
            7
        });
        assert_eq!((done.unwrap(), told), (Some(7), vec![0.5]));
        let start = Instant::now();
        let endless = until(&stop, &mut |_| {}, |_| std::thread::sleep(Duration::from_mins(1)));
        assert_eq!(endless.unwrap(), None);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
