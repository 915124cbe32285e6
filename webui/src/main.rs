//! weir-webui: history and dashboard of the traffic that weir-collector sees.
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use weir_shared::config::ConfigError;
use weir_shared::error::{complain, exit};
use weir_shared::telemetry;
use weir_webui::cli::{Arguments, Command};
use weir_webui::config::Config;
use weir_webui::{
    commands,
    startup::{Application, check_tls},
};

#[actix_web::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = telemetry::start(arguments.log_level) {
        return fail(&error.into(), exit::FAILED);
    }
    let (path, overrides) = (arguments.config.clone(), arguments.overrides());
    let read = move || Config::read(path.as_deref(), &overrides);
    let config = match read() {
        Ok(config) => config,
        Err(error) => return fail(&error.into(), exit::USAGE),
    };
    let command = arguments.command.unwrap_or(Command::Run);
    if let (Command::Run | Command::Check, Err(error)) = (&command, check_tls(&config)) {
        return fail(&error, exit::USAGE);
    }
    let outcome = match command {
        Command::Run => run(&config, read).await,
        command => commands::run(&command, &config).await,
    };
    outcome.map_or_else(|error| fail(&error, exit::FAILED), |()| ExitCode::SUCCESS)
}

async fn run(
    config: &Config,
    read: impl Fn() -> Result<Config, ConfigError> + 'static,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut application = Application::build(config).await?;
    if let Some(mut reload) = application.take_reload() {
        actix_web::rt::spawn(async move {
            while hangup.recv().await.is_some() {
                match read() {
                    Ok(config) => reload.apply(config),
                    Err(error) => tracing::error!("{error}; the configuration stays as it was"),
                }
            }
        });
    }
    sd_notify::notify(&[sd_notify::NotifyState::Ready])?;
    let stopped = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    application.run_until_stopped(stopped).await
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    complain(format_args!("weir-webui: {error:#}"));
    ExitCode::from(code)
}
