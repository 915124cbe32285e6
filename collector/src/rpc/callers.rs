//! Who asks for a change, as events name them: the caller as the kernel says, and whom it says that it asks for.
use std::sync::{Mutex, PoisonError};

use tonic::{Request, Status};

use super::connections::Peer;
use crate::attribution::users::Users;

const LONGEST_CLAIM: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Callers {
    users: Mutex<Users>,
}

impl Callers {
    /// What the caller claims stands beside who it is, never in its place.
    ///
    /// # Errors
    /// The claim is no name.
    pub(super) fn name<T>(&self, request: &Request<T>, on_behalf_of: &str) -> Result<String, Status> {
        self.told(request.extensions().get::<Peer>().map(|peer| peer.uid), on_behalf_of)
    }

    fn told(&self, uid: Option<u32>, on_behalf_of: &str) -> Result<String, Status> {
        let is_name = |character: char| character.is_alphanumeric() || "-._@".contains(character);
        if on_behalf_of.chars().count() > LONGEST_CLAIM || !on_behalf_of.chars().all(is_name) {
            let message = "on_behalf_of is no name: at most 64 letters, digits and -._@ are allowed";
            return Err(Status::invalid_argument(message));
        }
        let Some(uid) = uid else { return Ok("somebody".to_owned()) };
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match (on_behalf_of, users.find(uid)) {
            ("", Some(caller)) => caller.to_owned(),
            ("", None) => format!("uid {uid}"),
            (name, Some(caller)) => format!("{name} by {caller} (uid {uid})"),
            (name, None) => format!("{name} by uid {uid}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_stands_beside_the_caller_and_never_in_its_place() {
        let callers = Callers::default();
        let told = |uid, claim| callers.told(Some(uid), claim).unwrap();
        assert_eq!(told(0, ""), "root");
        assert_eq!(told(4_123_456_789, ""), "uid 4123456789");
        assert_eq!(told(0, "alice"), "alice by root (uid 0)");
        assert_eq!(told(4_123_456_789, "root"), "root by uid 4123456789");
        let long = "x".repeat(65);
        for no_name in ["root (uid 0)", "a\nb", "a b", &long] {
            let refused = callers.told(Some(1), no_name).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{no_name}");
        }
    }
}
