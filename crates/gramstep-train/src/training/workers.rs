//! Tasks side by side, told of as if they had run one after the other.

use std::cell::{Cell, RefCell};
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gramstep::Device;

/// Messages of a task that may wait for their turn; a task that has more to tell waits itself.
const BACKLOG: usize = 1 << 17;

/// The threads that compute, and places for trainings beside one another, as many as there are threads.
///
/// All trainings share the threads. What a training computes is cut for all of them, however many others there are, so its
/// bits are those of a training that is alone; small work runs on its own thread, and the last training still has all.
#[derive(Debug)]
pub(crate) struct Workers {
    device: Device,
    places: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place of a training; given back when dropped.
pub(crate) struct Place<'a>(&'a Workers);

impl Workers {
    pub(crate) fn new(threads: usize) -> Self {
        let device = Device::cpu(threads);
        Self::with_places(device.threads(), device)
    }

    pub(crate) fn with_places(places: usize, device: Device) -> Self {
        Self { device, places, free: Mutex::new(places), freed: Condvar::new() }
    }

    /// Where all of them compute.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// How many trainings run side by side at most.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Waits until a place is free.
    pub(crate) fn place(&self) -> Place<'_> {
        let mut free = held(&self.free);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *held(&self.0.free) += 1;
        self.0.freed.notify_one();
    }
}

fn held<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many messages of a task wait for their turn. Memory is taken as they come: of a hundred thousand tasks most have
/// little to tell.
#[derive(Debug, Default)]
struct Backlog {
    /// None where nobody listens any more.
    waiting: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Backlog {
    fn new() -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(Some(0)), changed: Condvar::new() })
    }

    /// Waits for room for one more.
    fn enter(&self) {
        let mut waiting = held(&self.waiting);
        while waiting.is_some_and(|waiting| waiting >= BACKLOG) {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        *waiting = waiting.map(|waiting| waiting + 1);
    }

    fn leave(&self) {
        let mut waiting = held(&self.waiting);
        *waiting = waiting.map(|waiting| waiting.saturating_sub(1));
        self.changed.notify_one();
    }
}

/// The end of a task's messages that hears; when it goes the task waits for nothing.
struct Heard<M> {
    messages: Receiver<M>,
    backlog: Arc<Backlog>,
}

impl<M> Drop for Heard<M> {
    fn drop(&mut self) {
        *held(&self.backlog.waiting) = None;
        self.backlog.changed.notify_all();
    }
}

/// By which a task tells something; after the end of all it goes nowhere.
pub(crate) type Tell<'a, M> = &'a dyn Fn(M);

/// Runs a task for each number, `at_once` of them side by side, begun in order, each where `workers` has a place for it.
/// `hear` is called on this thread with all that the first one tells, then with all of the second, and so on. Where it
/// breaks off nothing more is begun or heard, and the tasks that run are waited for. One at a time they run on this thread.
pub(crate) fn side_by_side<M: Send>(
    numbers: Range<usize>,
    at_once: usize,
    workers: Option<&Workers>,
    task: impl Fn(usize, Tell<'_, M>) + Sync,
    mut hear: impl FnMut(usize, M) -> ControlFlow<()>,
) {
    let place = || workers.map(Workers::place);
    if at_once.min(numbers.len()) <= 1 {
        let (hear, is_over) = (RefCell::new(hear), Cell::new(false));
        for number in numbers {
            let _place = place();
            task(number, &|message| {
                if !is_over.get() {
                    is_over.set(hear.borrow_mut()(number, message).is_break());
                }
            });
            if is_over.get() {
                break;
            }
        }
        return;
    }
    let threads = at_once.min(numbers.len());
    let (begun, told) = channel();
    let waiting = Mutex::new(numbers);
    let work = |begun: Sender<_>| {
        loop {
            // A place before a number: of tasks that wait for one another the first one always has its place.
            let _place = place();
            let mut left = held(&waiting);
            let Some(number) = left.next() else { return };
            let ((teller, messages), backlog) = (channel(), Backlog::new());
            let listens = begun.send((number, Heard { messages, backlog: Arc::clone(&backlog) })).is_ok();
            drop(left);
            if listens {
                task(number, &|message| {
                    backlog.enter();
                    drop(teller.send(message));
                });
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let begun = begun.clone();
            scope.spawn(|| work(begun));
        }
        drop(begun);
        // Where this returns, all ends that hear are gone: no task waits for one.
        for (number, heard) in told {
            for message in &heard.messages {
                heard.backlog.leave();
                if hear(number, message).is_break() {
                    *held(&waiting) = 0..0;
                    return;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What is heard of tasks that each tell this number of things.
    fn heard(at_once: usize, workers: Option<&Workers>, tells: &[usize]) -> Vec<(usize, usize)> {
        let mut heard = Vec::new();
        let task = |number: usize, tell: Tell<'_, usize>| (0..tells[number]).for_each(tell);
        side_by_side(0..tells.len(), at_once, workers, task, |number, what| {
            heard.push((number, what));
            ControlFlow::Continue(())
        });
        heard
    }

    #[test]
    fn what_is_heard_does_not_depend_on_how_many_run_at_once() {
        let tells = [3, 0, 1, 200, 7, 0];
        let expected: Vec<(usize, usize)> =
            tells.iter().enumerate().flat_map(|(number, &tells)| (0..tells).map(move |what| (number, what))).collect();
        let workers = Workers::new(2);
        for at_once in 1..8 {
            assert_eq!(heard(at_once, None, &tells), expected);
            assert_eq!(heard(at_once, Some(&workers), &tells), expected);
        }
    }

    #[test]
    fn a_task_that_tells_more_than_can_wait_is_held_up_and_nothing_is_lost() {
        let tells = [10, BACKLOG + 1000, BACKLOG + 10];
        assert_eq!(heard(3, Some(&Workers::new(1)), &tells).len(), tells.iter().sum::<usize>());
        assert_eq!(heard(3, None, &tells).len(), tells.iter().sum::<usize>());
    }

    #[test]
    fn nothing_is_begun_or_heard_after_the_end() {
        let begun = AtomicUsize::new(0);
        let mut heard = Vec::new();
        let task = |number: usize, tell: Tell<'_, usize>| {
            begun.fetch_add(1, Ordering::SeqCst);
            (0..2 * BACKLOG).for_each(|_| tell(number));
        };
        side_by_side(0..100, 2, None, task, |number, _| {
            heard.push(number);
            ControlFlow::Break(())
        });
        assert_eq!(heard, [0]);
        assert!(begun.load(Ordering::SeqCst) <= 4);
    }

    #[test]
    fn no_more_run_than_there_are_places_however_they_are_nested() {
        let workers = Workers::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let inner = |_: usize, _: Tell<'_, ()>| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(2));
            running.fetch_sub(1, Ordering::SeqCst);
        };
        let go_on = |_, ()| ControlFlow::Continue(());
        let outer = |_: usize, _: Tell<'_, ()>| side_by_side(0..3, 3, Some(&workers), inner, go_on);
        side_by_side(0..4, 4, None, outer, go_on);
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert_eq!(*held(&workers.free), 2);
    }
}
