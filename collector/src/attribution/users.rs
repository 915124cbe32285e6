//! Names of users, from /etc/passwd alone: a directory service may be a network away, or a module that a privileged
//! process should not load.
use std::collections::HashMap;
use std::fs;
use std::time::SystemTime;

use shared::text::escape;
use weir_shared as shared;

const PASSWD: &str = "/etc/passwd";
const LONGEST_FILE: u64 = 4 << 20;
const LONGEST_NAME: usize = 64;

/// Known users; the file is read when it is first needed.
#[derive(Debug, Default)]
pub struct Users {
    names: HashMap<u32, String>,
    read: Option<SystemTime>,
}

impl Users {
    /// The name, else the number as text. A number without a name makes the file be read again if it has changed.
    pub(super) fn name(&mut self, uid: u32) -> String {
        self.find(uid).map_or_else(|| uid.to_string(), str::to_owned)
    }

    /// Escaped and cut to a bound.
    pub fn find(&mut self, uid: u32) -> Option<&str> {
        if !self.names.contains_key(&uid) {
            self.read_if_changed();
        }
        self.names.get(&uid).map(String::as_str)
    }

    fn read_if_changed(&mut self) {
        let Ok(metadata) = fs::metadata(PASSWD) else { return };
        let changed = metadata.modified().ok();
        if (self.read.is_some() && self.read == changed) || metadata.len() > LONGEST_FILE {
            return;
        }
        self.read = changed;
        if let Ok(text) = fs::read(PASSWD) {
            self.names = parse(&String::from_utf8_lossy(&text));
        }
    }
}

/// passwd(5). The first name of a number counts.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
        let Ok(uid) = uid.parse() else { continue };
        let name = || escape(name).chars().take(LONGEST_NAME).collect();
        names.entry(uid).or_insert_with(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nonsense_is_passed_over() {
        let names =
            parse("root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\n\nbad\nx:y:z\nweb:x:33:33:::\n");
        assert_eq!(names.len(), 2);
        assert_eq!(names[&0], "root");
        assert_eq!(names[&33], "web");
    }

    #[test]
    fn a_user_without_a_name_is_shown_by_number() {
        assert_eq!(Users::default().name(0), "root");
        assert_eq!(Users::default().name(4_123_456_789), "4123456789");
    }
}
