//! Protocols that their first bytes give away.
use super::Application;
use super::{bittorrent, dhcp, dns, ftp, http, imap, ntp, rdp, smtp, ssh, wireguard};

/// By a TCP segment's first bytes. TLS is read apart: its hello may need more than one.
pub fn of_segment(payload: &[u8], expected: Application) -> Option<Application> {
    if http::is_request(payload) || http::is_response(payload) {
        return Some(Application::Http);
    }
    if ssh::is_banner(payload) {
        return Some(Application::Ssh);
    }
    if bittorrent::is_handshake(payload) {
        return Some(Application::BitTorrent);
    }
    if rdp::is_request(payload) {
        return Some(Application::Rdp);
    }
    if smtp::is_greeting(payload) {
        return Some(if expected == Application::Submission { expected } else { Application::Smtp });
    }
    if ftp::is_greeting(payload) {
        return Some(Application::Ftp);
    }
    if imap::is_imap(payload) {
        return Some(Application::Imap);
    }
    imap::is_pop3(payload).then_some(Application::Pop3)
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
