//! Which interfaces are captured, which of them count in totals, and why, by the configured list of words, names and
//! globs.
use std::collections::HashSet;

use shared::health::InterfaceInfo;
use weir_shared as shared;

use super::{Link, counting};

/// IFNAMSIZ with its terminating zero (netdevice(7)).
const LONGEST_NAME: usize = 15;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Auto,
    Primary,
    All,
    Name(String),
    Glob(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error(
        "the list is empty; allowed are \"auto\", \"primary\", \"all\", names, globs such as \"eth*\" and \"!glob\""
    )]
    Empty,
    #[error("\"{0}\" is no interface name: at most 15 bytes, without space, slash or colon")]
    Name(String),
    #[error("\"!{0}\" cannot be left out: name the interfaces, such as \"!docker*\"")]
    Negated(String),
}

/// The configured list, checked. Words add, `!` takes away; a list of `!` alone takes away from `auto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    wanted: Vec<Pattern>,
    /// Names or globs, without their `!`.
    unwanted: Vec<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { wanted: vec![Pattern::Auto], unwanted: Vec::new() }
    }
}

/// What the selection makes of one interface, or of a configured name that does not exist (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    /// None: gone.
    pub index: Option<u32>,
    pub captured: bool,
    pub in_totals: bool,
    /// Its owners count in lists over interfaces: no other captured interface carries the same frames.
    pub in_owner_totals: bool,
    /// One plain sentence.
    pub reason: String,
}

impl Selection {
    /// # Errors
    /// An empty list, or an entry that can be no interface's name.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, SelectionError> {
        let mut selection = Self { wanted: Vec::new(), unwanted: Vec::new() };
        for entry in entries.iter().map(|entry| entry.as_ref().trim()) {
            match entry.strip_prefix('!') {
                Some("auto" | "primary" | "all") => {
                    return Err(SelectionError::Negated(entry.trim_start_matches('!').to_owned()));
                }
                Some(name) => selection.unwanted.push(checked(name)?.to_owned()),
                None => selection.wanted.push(pattern(entry)?),
            }
        }
        if entries.is_empty() {
            return Err(SelectionError::Empty);
        }
        if selection.wanted.is_empty() {
            selection.wanted.push(Pattern::Auto);
        }
        Ok(selection)
    }

    /// One choice a link, in their order, then one a configured name that is not there.
    pub fn choose(&self, links: &[Link]) -> Vec<Choice> {
        let verdicts: Vec<_> = links.iter().map(|link| self.verdict(link)).collect();
        let captured: HashSet<u32> = links
            .iter()
            .zip(&verdicts)
            .filter_map(|(link, verdict)| verdict.is_ok().then_some(link.index))
            .collect();
        let mut choices: Vec<Choice> = links
            .iter()
            .zip(verdicts)
            .map(|(link, verdict)| match verdict {
                Ok(why) => Choice {
                    in_owner_totals: !counting::repeats(link, links, &captured),
                    ..captured_choice(link, &why, counting::left_out(link, links, &captured))
                },
                Err(why) => choice(link, false, false, format!("Not captured: {why}.")),
            })
            .collect();
        choices.extend(self.missing(links));
        choices
    }

    /// Why a link is captured, or why not.
    fn verdict(&self, link: &Link) -> Result<String, String> {
        if let Some(unwanted) = self.unwanted.iter().find(|unwanted| glob(unwanted, &link.name)) {
            return Err(format!("the configuration leaves it out (!{unwanted})"));
        }
        let mut refusal = None;
        for pattern in &self.wanted {
            match wants(pattern, link) {
                Ok(why) => return Ok(why),
                Err(why) => refusal = refusal.or(why),
            }
        }
        Err(refusal.unwrap_or_else(|| "the configuration does not name it".to_owned()))
    }

    fn missing(&self, links: &[Link]) -> impl Iterator<Item = Choice> {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        let there_are = if names.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        self.wanted.iter().filter_map(move |pattern| {
            let (name, reason) = match pattern {
                Pattern::Name(name) if !names.contains(&name.as_str()) => {
                    (name.as_str(), format!("Gone: no interface has this name; {there_are}."))
                }
                Pattern::Primary if !links.iter().any(|link| link.primary) => {
                    ("primary", format!("Gone: no interface has a default route; {there_are}."))
                }
                _ => return None,
            };
            Some(Choice {
                name: name.to_owned(),
                index: None,
                captured: false,
                in_totals: false,
                in_owner_totals: false,
                reason,
            })
        })
    }
}

impl Choice {
    /// With what the links say of it; a name that is not there has empty figures.
    pub(super) fn info(&self, links: &[Link]) -> InterfaceInfo {
        let found = self.index.and_then(|index| links.iter().find(|link| link.index == index));
        let link = found.cloned().unwrap_or_default();
        let below =
            link.master.or(link.parent).and_then(|index| links.iter().find(|other| other.index == index));
        InterfaceInfo {
            name: self.name.clone(),
            index: link.index,
            kind: link.kind,
            up: link.up,
            addresses: link.addresses.iter().map(ToString::to_string).collect(),
            mac: link.mac,
            mtu_bytes: link.mtu_bytes,
            primary: link.primary,
            captured: self.captured,
            in_totals: self.in_totals,
            reason: self.reason.clone(),
            parent: below.map(|below| below.name.clone()).unwrap_or_default(),
        }
    }
}

fn captured_choice(link: &Link, why: &str, left_out: Option<String>) -> Choice {
    let counted = left_out.is_none();
    let totals = match left_out {
        None => "it counts in totals".to_owned(),
        Some(reason) => format!("left out of totals, since {reason}"),
    };
    choice(link, true, counted, format!("Captured: {why}; {totals}."))
}

fn choice(link: &Link, captured: bool, in_totals: bool, reason: String) -> Choice {
    let in_owner_totals = in_totals;
    Choice { name: link.name.clone(), index: Some(link.index), captured, in_totals, in_owner_totals, reason }
}

/// Err(Some) tells why a word that looks at the link itself refuses it.
fn wants(pattern: &Pattern, link: &Link) -> Result<String, Option<String>> {
    match pattern {
        Pattern::All => Ok("the configuration asks for all".to_owned()),
        Pattern::Name(name) if *name == link.name => Ok("the configuration names it".to_owned()),
        Pattern::Glob(text) if glob(text, &link.name) => Ok(format!("it matches {text}")),
        Pattern::Name(_) | Pattern::Glob(_) => Err(None),
        Pattern::Primary if link.primary => Ok("the default route leaves by it".to_owned()),
        Pattern::Primary => Err(Some("the default route does not leave by it".to_owned())),
        Pattern::Auto if !link.up => Err(Some("it is down".to_owned())),
        Pattern::Auto => match link.addresses.first() {
            Some(address) if link.has_own_address() => Ok(format!("it is up and has the address {address}")),
            Some(_) => Err(Some("as a member of another interface it has no address of its own".to_owned())),
            None => Err(Some("it has no address of its own".to_owned())),
        },
    }
}

fn pattern(entry: &str) -> Result<Pattern, SelectionError> {
    Ok(match entry {
        "auto" => Pattern::Auto,
        "primary" => Pattern::Primary,
        "all" => Pattern::All,
        name if name.contains(['*', '?']) => Pattern::Glob(checked(name)?.to_owned()),
        name => Pattern::Name(checked(name)?.to_owned()),
    })
}

fn checked(name: &str) -> Result<&str, SelectionError> {
    let glob = name.contains(['*', '?']);
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':' || c == '!';
    if name.is_empty() || (!glob && name.len() > LONGEST_NAME) || name.len() > 64 || name.contains(refused) {
        return Err(SelectionError::Name(name.to_owned()));
    }
    Ok(name)
}

/// `*` stands for any number of characters, `?` for one. Runs in time of pattern times text: after a mismatch only the
/// last `*` takes one more.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
