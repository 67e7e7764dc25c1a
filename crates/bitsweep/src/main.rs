//! The binary: reads the command line and wires the crates together.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod commands;
mod failure;
mod local_fleet;
mod report;
mod signals;
mod state;
mod sweep_source;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use failure::{Ending, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli.command) {
        Ok(ending) => ending.exit_code(),
        Err(failure) => {
            eprintln!("bitsweep: {}", failure.message());
            failure.exit_code()
        }
    }
}

fn dispatch(command: &Command) -> Result<Ending, Failure> {
    match command {
        Command::Check(arguments) => return commands::check::run(arguments),
        Command::Devices(arguments) => return commands::devices::run(arguments),
        Command::Trial => return commands::trial::run(),
        Command::Eval(arguments) => return commands::eval::run(arguments),
        _ => {}
    }
    log_to_standard_error(command);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Run(arguments) => commands::run::run(arguments).await,
            Command::Coordinator(arguments) => commands::coordinator::run(arguments).await,
            Command::Worker(arguments) => commands::worker::run(arguments).await,
            Command::Submit(arguments) => commands::submit::submit(arguments).await,
            Command::Cancel(arguments) => commands::submit::cancel(arguments).await,
            Command::Resume(arguments) => commands::submit::resume(arguments).await,
            Command::Tui(arguments) => commands::tui::run(arguments).await,
            Command::Status(arguments) => commands::status::run(arguments).await,
            Command::Export(arguments) => commands::export::run(arguments).await,
            Command::Data(arguments) => commands::data::run(arguments).await,
            Command::Check(_) | Command::Eval(_) | Command::Devices(_) | Command::Trial => {
                Ok(Ending::Done)
            }
        }
    })
}

/// Services log what happens; commands for people only what is wrong, and nothing while they own the screen.
fn log_to_standard_error(command: &Command) {
    let default = match command {
        Command::Coordinator(_) | Command::Worker(_) => "info",
        Command::Run(_) | Command::Tui(_) => "off",
        _ => "error",
    };
    let filter =
        EnvFilter::try_from_env("BITSWEEP_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
