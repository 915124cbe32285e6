//! The views, in the order of their keys.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Tab {
    #[default]
    Processes,
    Hosts,
    Flows,
    Interfaces,
    Packets,
    Alerts,
}

impl Tab {
    pub(in super::super) const ALL: [Self; 6] =
        [Self::Processes, Self::Hosts, Self::Flows, Self::Interfaces, Self::Packets, Self::Alerts];

    pub(in super::super) fn numbered(digit: char) -> Option<Self> {
        let number = usize::try_from(digit.to_digit(10)?).ok()?;
        Self::ALL.get(number.checked_sub(1)?).copied()
    }

    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Self::Processes => "Processes",
            Self::Hosts => "Hosts",
            Self::Flows => "Flows",
            Self::Interfaces => "Interfaces",
            Self::Packets => "Packets",
            Self::Alerts => "Alerts",
        }
    }

    pub(super) fn next(self, forward: bool) -> Self {
        let count = Self::ALL.len();
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        let to = if forward { (at + 1) % count } else { (at + count - 1) % count };
        Self::ALL.get(to).copied().unwrap_or_default()
    }
}
