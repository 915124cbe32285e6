//! Commands that do their work and end: accounts, tokens, check.
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};

use crate::auth::{Token, password};
use crate::cli::{Command, TokenCommand, UserCommand, UserPassword};
use crate::config::Config;
use crate::startup::NO_PASSWORD;
use crate::store::Store;

/// Longest line that is read as a password.
const LONGEST_LINE: u64 = 4_096;

/// Runs a command against the configured database.
///
/// # Errors
/// The database cannot be used, a name is taken or unknown, a password is refused.
pub async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    if matches!(command, Command::Run | Command::Check) {
        return say("the configuration is right");
    }
    // the others may come before the service's first start
    let wants_one = matches!(
        command,
        Command::User(UserCommand::List) | Command::Token(TokenCommand::List | TokenCommand::Revoke { .. })
    );
    if wants_one && !config.database.exists() {
        bail!(
            "there is no database {}: start weir-webui once, or name the right one by --database or --config",
            config.database.display()
        );
    }
    let store = Store::open(&config.database).await?;
    let outcome = match command {
        Command::User(UserCommand::Add(user)) => add(&store, user).await,
        Command::User(UserCommand::Password(user)) => set_password(&store, user).await,
        Command::User(UserCommand::List) => list(&store).await,
        Command::Token(TokenCommand::Create { name }) => create_token(&store, name).await,
        Command::Token(TokenCommand::List) => list_tokens(&store).await,
        Command::Token(TokenCommand::Revoke { name }) => revoke_token(&store, name).await,
        Command::Run | Command::Check => Ok(()),
    };
    store.close().await;
    outcome
}

async fn add(store: &Store, user: &UserPassword) -> anyhow::Result<()> {
    check_name(&user.name)?;
    let hash = password::hash_now(&read_password(user)?)?;
    if !store.add_account(&user.name, &hash).await? {
        bail!(
            "there is a user {:?} already; `weir-webui user password {}` sets a new password",
            user.name,
            user.name
        );
    }
    Ok(())
}

async fn set_password(store: &Store, user: &UserPassword) -> anyhow::Result<()> {
    let hash = password::hash_now(&read_password(user)?)?;
    if !store.set_password(&user.name, &hash, None).await? {
        // a machine on which the service has not run yet has no account at all
        if !store.accounts().await?.is_empty() {
            bail!("there is no user {:?}; `weir-webui user list` lists them", user.name);
        }
        check_name(&user.name)?;
        store.add_account(&user.name, &hash).await?;
    }
    store.remove_setting(NO_PASSWORD).await?;
    Ok(())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    for (name, created) in store.accounts().await? {
        say(&format!("{name}\t{created}"))?;
    }
    Ok(())
}

async fn create_token(store: &Store, name: &str) -> anyhow::Result<()> {
    check_name(name)?;
    let token = Token::random()?;
    if !store.add_token(name, &token.hash()).await? {
        bail!("there is a token named {name:?} already; choose another name");
    }
    say(token.text())
}

async fn list_tokens(store: &Store) -> anyhow::Result<()> {
    for token in store.tokens().await? {
        let used = token.last_used.map_or_else(|| "never used".to_owned(), |used| used.to_string());
        say(&format!("{}\t{}\t{used}", token.name, token.created))?;
    }
    Ok(())
}

async fn revoke_token(store: &Store, name: &str) -> anyhow::Result<()> {
    if !store.revoke_token(name).await? {
        bail!("there is no token named {name:?}; `weir-webui token list` lists them");
    }
    Ok(())
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = (1..=64).contains(&name.chars().count())
        && name.chars().all(|character| character.is_alphanumeric() || "-._@".contains(character));
    if !plain {
        bail!("{name:?} is no name: 1 to 64 letters, digits and -._@ are allowed");
    }
    Ok(())
}

fn read_password(user: &UserPassword) -> anyhow::Result<String> {
    let secret = if user.password_stdin {
        line()?
    } else {
        if !std::io::stdin().is_terminal() {
            bail!("standard input is no terminal: give the password on it with --password-stdin");
        }
        let first = ask("New password: ")?;
        if first != ask("Again: ")? {
            bail!("the two passwords differ");
        }
        first
    };
    password::check_new(&secret)?;
    Ok(secret)
}

fn ask(question: &str) -> anyhow::Result<String> {
    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let mut out = std::io::stderr();
    write!(out, "{question}").context("the terminal cannot be written")?;
    out.flush().context("the terminal cannot be written")?;
    let before = tcgetattr(&stdin).context("the terminal cannot be set")?;
    let mut hidden = before.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden).context("the terminal cannot be set")?;
    let answer = line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).context("the terminal cannot be set")?;
    writeln!(out).context("the terminal cannot be written")?;
    answer
}

fn line() -> anyhow::Result<String> {
    let mut text = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), LONGEST_LINE);
    input.read_line(&mut text).context("no password could be read")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output cannot be written")
}
