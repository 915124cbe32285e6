use super::*;

fn segment(payload: &[u8]) -> Option<Application> {
    of_segment(payload, Application::Other)
}

fn datagram(payload: &[u8]) -> Option<Application> {
    of_datagram(payload, (40_000, 40_001))
}

#[test]
fn greetings_of_stream_protocols_are_known_on_any_port() {
    for (payload, application) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n"[..], Application::Ssh),
        (b"SSH-1.99-old\n", Application::Ssh),
        (b"220 mail.example.net ESMTP Postfix\r\n", Application::Smtp),
        (b"220-mail.example.net SMTP\r\n220 ready\r\n", Application::Smtp),
        (b"EHLO client.example\r\n", Application::Smtp),
        (b"helo client.example\r\n", Application::Smtp),
        (b"220 (vsFTPd 3.0.5)\r\n", Application::Ftp),
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", Application::Imap),
        (b"* PREAUTH IMAP4rev1\r\n", Application::Imap),
        (b"+OK Dovecot ready.\r\n", Application::Pop3),
        (b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05", Application::BitTorrent),
        (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0", Application::Rdp),
        (b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x0f\x08\0\x02\0\0\0", Application::Rdp),
        (b"HTTP/1.1 301 Moved\r\n", Application::Http),
        (b"PUT /x HTTP/1.1\r\n", Application::Http),
    ] {
        assert_eq!(segment(payload), Some(application), "{}", payload.escape_ascii());
    }
}

#[test]
fn what_only_resembles_a_greeting_is_left_to_the_port() {
    for payload in [
        &b"SSH"[..],
        b"SSH-3.0-x",
        b"220 hello\r\n",
        b"250 smtp",
        b"* BAD",
        b"+OK without an end",
        b"\x13BitTorrent protoco",
        b"\x03\0\0\x14\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0",
        b"\x03\0\0\x13\x0d\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0",
        b"\x03\0",
        b"",
    ] {
        assert_eq!(segment(payload), None, "{}", payload.escape_ascii());
    }
}

#[test]
fn mail_submission_stays_what_its_port_says() {
    let greeting = b"220 mail.example.net ESMTP\r\n";
    assert_eq!(of_segment(greeting, Application::Submission), Some(Application::Submission));
}

/// A BOOTP message with DHCP's cookie.
fn dhcp() -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0];
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 1, 255]);
    message
}

/// `kind`, three reserved zeros, and what makes up `length`.
fn wireguard(kind: u8, length: usize) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.resize(length, 0x5a);
    message
}

#[test]
fn datagram_protocols_are_known_on_any_port() {
    for (payload, application) in [
        (dhcp(), Application::Dhcp),
        (wireguard(1, 148), Application::WireGuard),
        (wireguard(2, 92), Application::WireGuard),
        (wireguard(3, 64), Application::WireGuard),
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe".to_vec(), Application::BitTorrent),
        (b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re".to_vec(), Application::BitTorrent),
        (b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec(), Application::Dns),
    ] {
        assert_eq!(datagram(&payload), Some(application), "{}", payload.escape_ascii());
    }
}

#[test]
fn datagrams_of_other_lengths_or_marks_are_left_to_the_port() {
    let mut no_cookie = dhcp();
    no_cookie[238] = 0;
    let mut reserved = wireguard(1, 148);
    reserved[2] = 1;
    let others = [wireguard(1, 149), wireguard(2, 148), wireguard(4, 64), reserved, no_cookie];
    for payload in others.into_iter().chain([dhcp()[..239].to_vec(), vec![]]) {
        assert_eq!(datagram(&payload), None, "{} bytes", payload.len());
    }
}

#[test]
fn time_messages_need_their_port_version_and_mode() {
    let message = |first: u8, stratum: u8| [&[first, stratum][..], &[0; 46]].concat();
    let of = |payload: &[u8], port| of_datagram(payload, (40_000, port));
    assert_eq!(of(&message(0x23, 0), 123), Some(Application::Ntp), "a client of version 4");
    assert_eq!(of(&message(0x1c, 2), 123), Some(Application::Ntp), "a server of version 3");
    assert_eq!(of(&message(0x23, 0), 124), None);
    assert_eq!(of(&message(0x23, 200), 123), None, "no such stratum");
    assert_eq!(of(&message(0x3b, 0), 123), None, "no such version");
    assert_eq!(of(&message(0x23, 0)[..47], 123), None);
}
