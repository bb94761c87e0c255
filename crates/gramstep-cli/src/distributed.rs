//! A command as one of the processes that `mpirun` started.
//!
//! Whatever ends one process before its time ends all of them: the others would wait for it for ever. So every failure
//! and every panic goes through `MPI_Abort`, and says which process it was.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gramstep::communicator::Communicator;
use gramstep_mpi::World;
use gramstep_train::training::processes::Processes;

use crate::outcome::{Outcome, Result};
use crate::streams::say;

/// How long another process than the first waits before it tells its failure: what all have alike, such as a wrong
/// option, is told by the first one alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a command on all processes; any failure ends all of them. SIGUSR1, which `mpirun` passes on, ends training as
/// Ctrl-C does, but leaves the time for it.
pub(crate) fn run(stop: &AtomicBool, command: impl FnOnce(Processes<'_>) -> Result) -> Result {
    let world = World::join().map_err(gramstep_train::Error::from)?;
    let (rank, size) = (world.rank(), world.size());
    let name = format!("process {rank} of {size}");
    abort_on_panic(name.clone());
    let result = command(Processes::new(&world, stop));
    // What panics after this ends alone: MPI is over then.
    drop(std::panic::take_hook());
    match result {
        Err(failure) if size > 1 => {
            if rank > 0 {
                std::thread::sleep(PATIENCE);
                say(format_args!("{name} failed:"));
            }
            match failure.report() {
                // Nobody reads the result any more.
                0 => Ok(Outcome::Done),
                code => World::abort(i32::from(code)),
            }
        }
        result => result,
    }
}

/// Refuses to run as one of several processes that would all do the same and write into the same folder.
pub(crate) fn check_alone() -> gramstep_train::Result<()> {
    match gramstep_mpi::started() {
        Some(count) if count > 1 => Err(gramstep_train::Error::Setting {
            name: "distributed",
            value: "false".to_owned(),
            range: format!(
                "given where mpirun starts several processes: these {count} would all train the same network"
            ),
        }),
        _ => Ok(()),
    }
}

/// A panic anywhere, in a worker thread too, ends all processes.
fn abort_on_panic(name: String) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        say(format_args!("{name} panicked; all processes end"));
        World::abort(101);
    }));
}
