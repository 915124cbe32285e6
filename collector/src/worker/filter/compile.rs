//! Compiles a person's filter in a process of its own that lives for one expression: libpcap's parser sees text from
//! outside, and its optimiser can take seconds (200 ports take one, 400 nine).
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pcap::{Capture, Linktype};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Program, ProgramError, names};
use crate::worker::{FILTER_COMPILER, sandbox};

/// Longer expressions are refused before anything is started.
pub const MOST_EXPRESSION_BYTES: usize = 4_096;
const MOST_ANSWER_BYTES: u64 = 64 * 1_024;
const TIME: Duration = Duration::from_secs(2);
const PROCESSOR_SECONDS: u64 = 2;
const MEMORY: u64 = 512 << 20;

/// Why an expression is no filter. `Bad` carries libpcap's own message.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("{0}")]
    Bad(String),
    #[error("host names are not looked up, write the address instead ({0})")]
    HostName(String),
    #[error("the filter is {0} bytes long; {MOST_EXPRESSION_BYTES} are allowed")]
    TooLong(usize),
    #[error("the filter takes more than {} s to compile; make it shorter", TIME.as_secs())]
    TooSlow,
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("the filter compiler could not run")]
    Compiler(#[source] io::Error),
}

/// Compiles for frames of `link_type` (<https://www.tcpdump.org/linktypes.html>) as libpcap hands them over, VLAN tags in
/// place. Service names are known from a table; host names are refused. Takes at most two seconds.
pub async fn compile(expression: &str, link_type: i32) -> Result<Program, FilterError> {
    let request = request(expression)?;
    let mut child = tokio::process::Command::from(command(link_type))
        .kill_on_drop(true)
        .spawn()
        .map_err(FilterError::Compiler)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let work = async {
        if let Some(mut stdin) = stdin {
            stdin.write_all(request.as_bytes()).await?;
        }
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MOST_ANSWER_BYTES).read_to_end(&mut answer).await?;
        }
        Ok((answer, child.wait().await?))
    };
    match tokio::time::timeout(TIME, work).await {
        Ok(Ok((answer, status))) => read_answer(&answer, status),
        Ok(Err(error)) => Err(FilterError::Compiler(error)),
        Err(_) => Err(FilterError::TooSlow),
    }
}

/// The same for callers without a runtime: `check`, and the configured filter at start.
pub fn check(expression: &str, link_type: i32) -> Result<Program, FilterError> {
    let request = request(expression)?;
    let mut child = command(link_type).spawn().map_err(FilterError::Compiler)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(request.as_bytes()).map_err(FilterError::Compiler)?;
    }
    // the answer fits the pipe, so that waiting first cannot block the child
    let end = Instant::now() + TIME;
    let status = loop {
        match child.try_wait().map_err(FilterError::Compiler)? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                child.kill().map_err(FilterError::Compiler)?;
                child.wait().map_err(FilterError::Compiler)?;
                return Err(FilterError::TooSlow);
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST_ANSWER_BYTES).read_to_end(&mut answer).map_err(FilterError::Compiler)?;
    }
    read_answer(&answer, status)
}

fn request(expression: &str) -> Result<String, FilterError> {
    if expression.len() > MOST_EXPRESSION_BYTES {
        return Err(FilterError::TooLong(expression.len()));
    }
    Ok(names::numbered(expression))
}

fn command(link_type: i32) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(FILTER_COMPILER).arg(link_type.to_string()).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

type Answer = Result<Program, String>;

fn read_answer(answer: &[u8], status: ExitStatus) -> Result<Program, FilterError> {
    if !status.success() {
        use std::os::unix::process::ExitStatusExt;
        let over = [libc::SIGXCPU, libc::SIGKILL].map(Some).contains(&status.signal());
        return Err(if over {
            FilterError::TooSlow
        } else {
            FilterError::Compiler(io::Error::other(status.to_string()))
        });
    }
    let answer: Answer =
        postcard::from_bytes(answer).map_err(|error| FilterError::Compiler(io::Error::other(error)))?;
    answer.map_err(|message| {
        let name = ["unknown host", "unknown network", "unknown ether host"];
        if name.iter().any(|start| message.starts_with(start)) {
            FilterError::HostName(message)
        } else {
            FilterError::Bad(message)
        }
    })
}

/// The compiler's own process: expression on descriptor 0, answer on 1, link type as its one argument.
pub fn compiler_main(link_type: Option<&str>) -> ExitCode {
    match serve(link_type) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE, // nobody reads its descriptor 2; the parent sees the code
    }
}

fn serve(link_type: Option<&str>) -> io::Result<()> {
    let link_type = link_type.and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    sandbox::confine_compiler(PROCESSOR_SECONDS, MEMORY).map_err(io::Error::other)?;
    let mut expression = String::new();
    // a service name takes the place of a longer number or a shorter one: a little over the bound is possible
    io::stdin()
        .take(2 * u64::try_from(MOST_EXPRESSION_BYTES).unwrap_or(0))
        .read_to_string(&mut expression)?;
    let answer: Answer = compile_here(&expression, link_type);
    let encoded = postcard::to_stdvec(&answer).map_err(io::Error::other)?;
    io::stdout().write_all(&encoded)?;
    io::stdout().flush()
}

fn compile_here(expression: &str, link_type: i32) -> Answer {
    // the file format's number of raw IP differs from libpcap's own on Linux
    let link_type = if link_type == 101 { Linktype(12) } else { Linktype(link_type) };
    let handle = Capture::dead(link_type).map_err(|error| error.to_string())?;
    let compiled = handle.compile(expression, true).map_err(|error| match error {
        pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    })?;
    Program::from_pcap(&compiled).map_err(|error| error.to_string())
}
