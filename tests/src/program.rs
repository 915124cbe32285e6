//! The binaries under test, as cargo built them, and what a finished command said.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A binary of this workspace, beside the running test's own: `cargo build --workspace` puts it there.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.ancestors().find(|folder| folder.join("deps").is_dir()).expect("cargo's target folder");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: run cargo build --workspace first", path.display());
    path
}

/// The workspace's top folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// Where the build puts what is not part of the repository.
pub fn target() -> PathBuf {
    let folder = program("weir-collector");
    folder.ancestors().nth(2).expect("cargo's target folder").to_path_buf()
}

/// A command's end: exit code, and both outputs as text.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard output as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// Runs one of our programs to its end.
pub fn ours(name: &str, arguments: &[&str]) -> Said {
    run(Command::new(program(name)).args(arguments))
}

/// Runs a command of the system that must succeed; its standard output.
pub fn must(command: &str) -> String {
    let mut words = command.split_whitespace();
    let said = run(Command::new(words.next().expect("a command")).args(words));
    assert_eq!(said.code, 0, "{command}: {}", said.err);
    said.out
}
