//! weir-webui: history and dashboard of the traffic that weir-collector sees.
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use weir_shared::error::exit;
use weir_shared::telemetry;
use weir_webui::cli::{Arguments, Command};
use weir_webui::config::Config;
use weir_webui::{commands, startup::Application};

#[actix_web::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = telemetry::start(arguments.log_level) {
        return fail(&error.into(), exit::FAILED);
    }
    let config = match Config::read(arguments.config.as_deref(), &arguments.overrides()) {
        Ok(config) => config,
        Err(error) => return fail(&error.into(), exit::USAGE),
    };
    let outcome = match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run(&config).await,
        command => commands::run(&command, &config).await,
    };
    outcome.map_or_else(|error| fail(&error, exit::FAILED), |()| ExitCode::SUCCESS)
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let application = Application::build(config).await?;
    sd_notify::notify(&[sd_notify::NotifyState::Ready])?;
    let stopped = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    application.run_until_stopped(stopped).await
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("weir-webui: {error:#}");
    ExitCode::from(code)
}
