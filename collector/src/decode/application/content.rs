//! Protocols that their first bytes give away.
use super::Application;
use super::{bittorrent, dhcp, dns, ftp, http, imap, ntp, rdp, smtp, ssh, wireguard};

/// By a TCP segment's first bytes. TLS is read apart: its hello may need more than one.
pub fn of_segment(payload: &[u8], expected: Application) -> Option<Application> {
    // most payloads are of no protocol that is known here: their first byte says so
    match payload.first()? {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => of_text(payload, expected),
        b'*' => imap::is_imap(payload).then_some(Application::Imap),
        b'+' => imap::is_pop3(payload).then_some(Application::Pop3),
        _ if bittorrent::is_handshake(payload) => Some(Application::BitTorrent),
        _ => rdp::is_request(payload).then_some(Application::Rdp),
    }
}

fn of_text(payload: &[u8], expected: Application) -> Option<Application> {
    if http::is_request(payload) || http::is_response(payload) {
        return Some(Application::Http);
    }
    if ssh::is_banner(payload) {
        return Some(Application::Ssh);
    }
    if smtp::is_greeting(payload) {
        return Some(if expected == Application::Submission { expected } else { Application::Smtp });
    }
    ftp::is_greeting(payload).then_some(Application::Ftp)
}

/// By a datagram's bytes. QUIC is read apart.
pub fn of_datagram(payload: &[u8], ports: (u16, u16)) -> Option<Application> {
    if dhcp::is_message(payload) {
        return Some(Application::Dhcp);
    }
    if wireguard::is_handshake(payload) {
        return Some(Application::WireGuard);
    }
    if bittorrent::is_datagram(payload) {
        return Some(Application::BitTorrent);
    }
    if ntp::is_message(payload, ports) {
        return Some(Application::Ntp);
    }
    dns::is_query(payload).then_some(Application::Dns)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
