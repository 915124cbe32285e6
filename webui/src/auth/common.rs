//! Passwords that everybody tries first: of twelve characters and more, since shorter ones are refused anyway.

/// From public lists of leaked passwords, in lower case, sorted.
const COMMON: &[&str] = &[
    "0123456789ab", "012345678910", "0987654321qwerty", "1111111111111", "111222333444", "112233445566", "121212121212",
    "123123123123", "1234567890-=", "12345678900987654321", "1234567890123", "123456789012", "12345678910",
    "123456789101", "123456789123", "1234567891011", "123456789abc", "123456789qwe", "1234567890qwe",
    "1234567890qwerty", "123456qwerty", "123qweasdzxc", "1q2w3e4r5t6y", "1q2w3e4r5t6y7u", "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "1qazxsw23edc", "5201314520131", "741852963741", "789456123789", "987654321098",
    "987654321987", "abc123abc123", "abcdefghijkl", "abcdefghijklm", "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz",
    "administrador", "administrateur", "administrator", "administrator1", "adminadmin12", "adminadminadmin",
    "adminpassword", "alexander123", "asdfasdfasdf", "asdfghjkl123", "asdfghjkl;'", "asdfghjklqwertyuiop",
    "asdfghjklzxcvbnm", "babygirl1234", "basketball12", "bismillah123", "changeme1234", "changemenow1", "charlie12345",
    "chocolate123", "christopher1", "computer1234", "cristianoronaldo", "default12345", "dragonball12", "dragonballz1",
    "elizabeth123", "firewall1234", "football1234", "footballfootball", "fuckyou12345", "fuckyoufuckyou",
    "goodluck1234", "heythereheythere", "iloveyou1234", "iloveyou123456", "iloveyouforever", "iloveyouiloveyou",
    "iloveyousomuch", "internet1234", "jennifer1234", "justinbieber", "justinbieber1", "jesuschrist1", "letmein12345",
    "letmeinletmein", "liverpool123", "lovelovelove", "manchesterunited", "master123456", "michael12345",
    "microsoft123", "monkey123456", "mypassword12", "mypassword123", "naruto123456", "newpassword1", "nopassword12",
    "p@ssw0rd1234", "p@ssword1234", "pa$$word1234", "pass123456789", "passw0rd1234", "password!123", "password0000",
    "password1111", "password1234", "password12345", "password123456", "password1234567", "password12345678",
    "password123456789", "password2020", "password2021", "password2022", "password2023", "password2024", "password2025",
    "password2026", "password@123", "passwordpassword", "pokemon12345", "princess1234", "q1w2e3r4t5y6",
    "q1w2e3r4t5y6u7i8", "qazwsxedc123", "qazwsxedcrfv", "qazwsxedcrfvtgb", "qazxswedcvfr", "qwerasdfzxcv",
    "qwert12345678", "qwerty123456", "qwerty1234567", "qwerty12345678", "qwerty123456789", "qwertyqwerty",
    "qwertyqwerty1", "qwertyuiop12", "qwertyuiop123", "qwertyuiop1234567890", "qwertyuiop[]", "qwertyuiop[]\\",
    "qwertyuiopasdfghjkl", "qwertyuiopasdfghjklzxcvbnm", "raspberrypi1", "realmadrid12", "root12345678",
    "rootpassword", "schalke04schalke", "secret123456", "spongebob123", "starwars1234", "summer123456", "sunshine1234",
    "superman1234", "superstar123", "test12345678", "testpassword", "testtesttest", "thepassword1", "trustno1trustno1",
    "unbelievable", "ubuntuubuntu", "vfvfgfgfvfvf", "voetbalvoetbal", "welcome12345", "welcome123456", "welcomehome1",
    "welcomewelcome", "windows12345", "zaq12wsxcde3", "zaq1xsw2cde3", "zaq1zaq1zaq1", "zxcvbnm12345", "zxcvbnm123456",
    "zxcvbnmasdfghjkl", "zxcvbnmzxcvbnm",
];

/// Whether a password is on the list in any case, or is one character or a short run said over and over.
pub(super) fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    COMMON.contains(&lower.as_str()) || is_run(&lower)
}

/// `aaaaaaaaaaaa`, `abababababab`, `weirweirweir`.
fn is_run(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    (1..=4).any(|period| {
        characters.len() > period && characters.iter().zip(characters.iter().skip(period)).all(|(a, b)| a == b)
    })
}
