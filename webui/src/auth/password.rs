//! Passwords: argon2id off the async threads, at most two at once, so that a flood of log-ins neither stalls the pages
//! nor fills the memory.
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;

use super::common;
use super::token::{NoRandomness, random_text};

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const AT_ONCE: usize = 2;
const SHORTEST: usize = 12;
/// In bytes; hashing a megabyte of password would be work for nothing.
const LONGEST: usize = 1_024;

/// Why a new password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password is too short: it needs 12 characters")]
    TooShort,
    #[error("the password is too long: 1024 bytes are allowed")]
    TooLong,
    #[error("the password is among the most common ones; choose another")]
    TooCommon,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    #[error("the thread that hashes passwords ended")]
    Thread,
}

/// Hashes and checks passwords; cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Checked where there is no such account, so that its absence takes the same time.
    decoy: Arc<str>,
}

impl Passwords {
    /// # Errors
    /// No random bytes, or no memory for one hash.
    pub fn new() -> Result<Self, HashError> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            decoy: hash_now("no account has this password")?.into(),
        })
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let _permit = self.permits.acquire().await.map_err(|_| HashError::Thread)?;
        tokio::task::spawn_blocking(move || hash_now(&password)).await.map_err(|_| HashError::Thread)?
    }

    /// Whether the password belongs to the PHC string; None, for an unknown account, is false after the same time.
    pub async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, HashError> {
        let _permit = self.permits.acquire().await.map_err(|_| HashError::Thread)?;
        let decoy = Arc::clone(&self.decoy);
        tokio::task::spawn_blocking(move || {
            let known = phc.is_some();
            let right = verify_now(&password, phc.as_deref().unwrap_or(&decoy));
            known && right
        })
        .await
        .map_err(|_| HashError::Thread)
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| HashError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes on this thread, for commands.
pub fn hash_now(password: &str) -> Result<String, HashError> {
    let hash =
        argon2()?.hash_password(password.as_bytes()).map_err(|error| HashError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify_now(password: &str, phc: &str) -> bool {
    PasswordHash::new(phc)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// # Errors
/// The password is too short, too long, or one that everybody tries first.
pub fn check_new(password: &str) -> Result<(), PasswordProblem> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordProblem::TooShort);
    }
    if password.len() > LONGEST {
        return Err(PasswordProblem::TooLong);
    }
    if common::is_common(password) {
        return Err(PasswordProblem::TooCommon);
    }
    Ok(())
}

/// 120 random bits, 24 characters.
pub fn random() -> Result<String, NoRandomness> {
    random_text::<15>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_accepted() {
        let passwords = Passwords::new().unwrap();
        let phc = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(passwords.verify("correct horse battery".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), Some(phc)).await.unwrap());
        assert!(!passwords.verify("no account has this password".to_owned(), None).await.unwrap());
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        assert_eq!(check_new("elevenchars"), Err(PasswordProblem::TooShort));
        assert_eq!(check_new("Password1234"), Err(PasswordProblem::TooCommon));
        assert_eq!(check_new("aaaaaaaaaaaaaa"), Err(PasswordProblem::TooCommon));
        assert_eq!(check_new(&"x1".repeat(600)), Err(PasswordProblem::TooLong));
        assert_eq!(check_new("ein sehr langer satz"), Ok(()));
    }

    #[test]
    fn a_random_password_has_at_least_a_hundred_bits() {
        assert!(random().unwrap().len() * 5 >= 100);
    }
}
