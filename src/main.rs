//! The program: reads the command line and ends with the status the contract names.

use std::process::ExitCode;

fn main() -> ExitCode {
    digest_gate::cli::run(std::env::args_os())
}
