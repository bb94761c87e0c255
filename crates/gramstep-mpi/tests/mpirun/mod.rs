//! Starts a test again as the processes of an `mpirun`.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Processes that wait for one another end here.
const LIMIT: Duration = Duration::from_mins(4);

/// Runs this program on each number of processes: those named as arguments, or `default`.
pub(crate) fn on(default: &[usize]) -> ExitCode {
    let named: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let counts = if named.is_empty() { default } else { &named };
    for count in counts {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut job = Command::new("mpirun")
            .args(["-n", &count.to_string()])
            .arg(program)
            // Containers run as root, on fewer processors than processes.
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .envs([("OMPI_MCA_rmaps_base_oversubscribe", "1"), ("OMPI_MCA_hwloc_base_binding_policy", "none")])
            .spawn()
            .expect("mpirun is installed with the MPI library");
        let start = Instant::now();
        loop {
            match job.try_wait().expect("a process can be waited for") {
                Some(status) if status.success() => break,
                None if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(20)),
                status => {
                    eprintln!("on {count} processes: {status:?} after {:?}", start.elapsed());
                    let _ = job.kill();
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}
