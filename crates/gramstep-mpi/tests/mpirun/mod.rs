//! Starts a test again as the processes of an `mpirun`.

use std::process::{Command, ExitCode};

/// Runs this program on each number of processes: those named as arguments, or `default`.
pub(crate) fn on(default: &[usize]) -> ExitCode {
    let named: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let counts = if named.is_empty() { default } else { &named };
    for count in counts {
        let program = std::env::current_exe().expect("a running program has a path");
        let status = Command::new("mpirun")
            .args(["-n", &count.to_string()])
            .arg(program)
            // Containers run as root, on fewer processors than processes.
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .envs([("OMPI_MCA_rmaps_base_oversubscribe", "1"), ("OMPI_MCA_hwloc_base_binding_policy", "none")])
            .status()
            .expect("mpirun is installed with the MPI library");
        if !status.success() {
            eprintln!("on {count} processes: {status}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
