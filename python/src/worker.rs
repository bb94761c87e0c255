//! Long work on a thread of its own, while this one listens for Ctrl-C.
//!
//! Python delivers a signal only to code that asks for it. The calling thread asks twenty times a second and leaves as
//! soon as there is one; the work is told to stop and ends after its step, on memory of its own. Kernels of infinite width
//! cannot be told, and go on to their end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gramstep_train::outcome::event::{EpochEvent, Event, Observer};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How long Ctrl-C waits at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long it waits for the work to end after it.
const GRACE: Duration = Duration::from_millis(500);
/// Stack of the working thread: that of a main thread.
const STACK: usize = 8 << 20;

enum Message<R> {
    Note(String),
    Epoch { event: Box<EpochEvent>, epochs: usize },
    Done(R),
}

/// Sends what happens to the calling thread.
struct Reporter<R> {
    sender: Sender<Message<R>>,
    epochs: usize,
}

impl<R> Observer for Reporter<R> {
    fn observe(&mut self, event: &Event<'_>) -> gramstep_train::Result<()> {
        let message = match event {
            Event::Start(start) => {
                self.epochs = start.settings.epochs;
                return Ok(());
            }
            Event::Note(text) => Message::Note((*text).to_owned()),
            Event::Epoch(epoch) => Message::Epoch { event: Box::new((*epoch).clone()), epochs: self.epochs },
            Event::Certified(certificate) => Message::Note(format!("{}: {}", certificate.claim, certificate.sentence)),
            _ => return Ok(()),
        };
        // The listener may have left after Ctrl-C.
        let _ = self.sender.send(message);
        Ok(())
    }
}

/// Runs `work`. `report` is called with each event: `("note", text)`, or `("epoch", epoch, epochs, train loss,
/// validation loss)`.
pub(crate) fn run<R: Send + 'static>(
    py: Python<'_>,
    report: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&AtomicBool, &mut dyn Observer) -> R + Send + 'static,
) -> PyResult<R> {
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel();
    let theirs = Arc::clone(&stop);
    std::thread::Builder::new().name("gramstep".to_owned()).stack_size(STACK).spawn(move || {
        let mut reporter = Reporter { sender: sender.clone(), epochs: 0 };
        let _ = sender.send(Message::Done(work(&theirs, &mut reporter)));
    })?;
    let receiver = Mutex::new(receiver);
    let listen = || {
        loop {
            let wait = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE);
            match (py.detach(wait), report) {
                (Ok(Message::Done(result)), _) => return Ok(result),
                (Ok(Message::Note(text)), Some(report)) => drop(report.call1(("note", text))?),
                (Ok(Message::Epoch { event, epochs }), Some(report)) => {
                    report.call1(("epoch", event.epoch, epochs, event.train_loss, event.validation_loss))?;
                }
                (Ok(_), None) | (Err(RecvTimeoutError::Timeout), _) => {}
                (Err(RecvTimeoutError::Disconnected), _) => {
                    return Err(PyRuntimeError::new_err(
                        "the working thread ended without a result: a bug of gramstep",
                    ));
                }
            }
            py.check_signals()?;
        }
    };
    let result = listen();
    if result.is_err() {
        stop.store(true, Ordering::Relaxed);
        // A model of Python's is left as it was: its evaluation, for which modules are switched, comes to its end.
        let until = Instant::now() + GRACE;
        let last = || {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            let next = || receiver.recv_timeout(until.saturating_duration_since(Instant::now()));
            while let Ok(message) = next() {
                if matches!(message, Message::Done(_)) {
                    break;
                }
            }
        };
        py.detach(last);
    }
    result
}
