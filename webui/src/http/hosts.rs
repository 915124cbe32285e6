//! Which names this service answers to. A page of another site that makes its own name point here (DNS rebinding) carries
//! that name in Host, and is refused.
use std::net::IpAddr;
use std::sync::RwLock;
use std::time::{Duration, Instant};

const REFRESH: Duration = Duration::from_secs(30);

/// Loopback, the machine's own addresses, and the configured names.
#[derive(Debug)]
pub struct AllowedHosts {
    names: RwLock<Vec<String>>,
    own: RwLock<(Instant, Vec<IpAddr>)>,
}

impl AllowedHosts {
    pub fn new(names: Vec<String>) -> Self {
        Self { names: RwLock::new(names), own: RwLock::new((Instant::now(), own_addresses())) }
    }

    /// Names from a configuration that was read again.
    pub fn replace(&self, names: Vec<String>) {
        if let Ok(mut now) = self.names.write() {
            *now = names;
        }
    }

    /// Whether a Host header (RFC 9110 section 7.2) names this service; its port does not matter.
    pub fn allows(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if name == "localhost" || self.is_configured(name) {
            return true;
        }
        let Ok(address) = name.parse::<IpAddr>() else { return false };
        address.is_loopback() || self.is_own(address)
    }

    fn is_configured(&self, name: &str) -> bool {
        self.names.read().is_ok_and(|names| names.iter().any(|allowed| allowed == name))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let Ok(own) = self.own.read() else { return false };
        if own.1.contains(&address) {
            return true;
        }
        if own.0.elapsed() < REFRESH {
            return false;
        }
        drop(own);
        let now = own_addresses();
        let found = now.contains(&address);
        if let Ok(mut own) = self.own.write() {
            *own = (Instant::now(), now);
        }
        found
    }
}

/// Without port and brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.split(':').next().unwrap_or(host)
}

fn own_addresses() -> Vec<IpAddr> {
    match nix::ifaddrs::getifaddrs() {
        Ok(addresses) => addresses
            .filter_map(|address| {
                let storage = address.address?;
                let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
                v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
            })
            .collect(),
        Err(error) => {
            tracing::warn!(%error, "this machine's own addresses cannot be read ({error}); only loopback and [http] hosts are answered");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_own_addresses_and_configured_names_are_answered() {
        let hosts = AllowedHosts::new(vec!["weir.example".to_owned()]);
        for allowed in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "weir.example:443", "weir.example."]
        {
            assert!(hosts.allows(allowed), "{allowed}");
        }
        for refused in ["evil.example", "weir.example.evil.example", "", "203.0.113.77", "[2001:db8::77]:80"]
        {
            assert!(!hosts.allows(refused), "{refused}");
        }
    }
}
