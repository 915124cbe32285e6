//! Number and layout of the tracepoint, as tracefs describes them, and the processors that there are.
use std::fs;
use std::io;

use weir_sys as sys;

use super::EventsError;

const FOLDERS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const EVENT: &str = "events/sock/inet_sock_set_state";

/// Offsets of the fields that are used, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) id: u64,
    pub(super) socket: usize,
    pub(super) old_state: usize,
    pub(super) new_state: usize,
    pub(super) local_port: usize,
    pub(super) remote_port: usize,
    pub(super) family: usize,
    pub(super) protocol: usize,
    pub(super) local: usize,
    pub(super) remote: usize,
    pub(super) local_6: usize,
    pub(super) remote_6: usize,
}

impl Format {
    /// Where tracefs is not mounted it is mounted for a moment, for a thread of its own, if that is allowed.
    pub(super) fn read() -> Result<Self, EventsError> {
        let (id, format) = FOLDERS
            .iter()
            .find_map(|folder| read_below(folder).ok())
            .map_or_else(read_privately, Ok)
            .map_err(EventsError::Tracepoint)?;
        let id = id.trim().parse().map_err(|_| EventsError::Format)?;
        Self::parse(id, &format).ok_or(EventsError::Format)
    }

    fn parse(id: u64, text: &str) -> Option<Self> {
        let field = |name: &str, size: usize| {
            text.lines().find_map(|line| {
                let (declaration, rest) = line.trim().strip_prefix("field:")?.split_once(';')?;
                let declared = declaration.rsplit([' ', '*']).next()?.split('[').next()?;
                let number = |key: &str| {
                    rest.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse::<usize>().ok())
                };
                (declared == name && number("size:") == Some(size)).then(|| number("offset:"))?
            })
        };
        Some(Self {
            id,
            socket: field("skaddr", 8)?,
            old_state: field("oldstate", 4)?,
            new_state: field("newstate", 4)?,
            local_port: field("sport", 2)?,
            remote_port: field("dport", 2)?,
            family: field("family", 2)?,
            // one byte before Linux 5.6
            protocol: field("protocol", 2)?,
            local: field("saddr", 4)?,
            remote: field("daddr", 4)?,
            local_6: field("saddr_v6", 16)?,
            remote_6: field("daddr_v6", 16)?,
        })
    }
}

fn read_below(folder: &str) -> io::Result<(String, String)> {
    let read = |file: &str| fs::read_to_string(format!("{folder}/{EVENT}/{file}"));
    Ok((read("id")?, read("format")?))
}

fn read_privately() -> io::Result<(String, String)> {
    let [folder, _] = FOLDERS;
    let read = move || {
        sys::mount_for_this_thread(c"tracefs", c"/sys/kernel/tracing")?;
        read_below(folder)
    };
    let thread = std::thread::Builder::new().name("tracefs".to_owned()).spawn(read)?;
    thread.join().map_err(|_| io::Error::other("the thread that reads tracefs panicked"))?
}

/// Those that may ever be on.
pub(super) fn processors() -> Vec<i32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let listed = parse_list(text.trim());
    if listed.is_empty() { vec![0] } else { listed }
}

/// `0-3,8` (cpuset(7), "List format").
fn parse_list(text: &str) -> Vec<i32> {
    const MOST: i32 = 4_096;
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
            numbers.extend(first.max(0)..=last.min(MOST));
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name: inet_sock_set_state
ID: 2287
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;
\tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;
\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;
\tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;
\tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;
\tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;
\tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;
\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;
\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;
";

    #[test]
    fn the_layout_is_read_from_the_kernels_own_description() {
        let format = Format::parse(2_287, TEXT).unwrap();
        assert_eq!((format.socket, format.old_state, format.local_port), (8, 16, 24));
        assert_eq!((format.local, format.remote_6), (32, 56));
    }

    #[test]
    fn a_field_that_is_missing_or_of_another_size_is_refused() {
        assert_eq!(Format::parse(1, &TEXT.replace("skaddr", "sk")), None);
        assert_eq!(Format::parse(1, &TEXT.replace("offset:26;\tsize:2", "offset:26;\tsize:4")), None);
        assert_eq!(Format::parse(1, ""), None);
    }

    #[test]
    fn processors_are_listed() {
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(parse_list("0"), [0]);
        assert_eq!(parse_list(""), [] as [i32; 0]);
        assert_eq!(parse_list("5-1,x"), [] as [i32; 0]);
        assert!(!processors().is_empty());
    }
}
