//! Who is asking: a session by its cookie, or a program by its token.
pub mod common;
pub mod form;
pub mod password;
pub mod session;
pub mod throttle;
pub mod token;

pub use password::{PasswordProblem, Passwords};
pub use session::{Caller, LoggedIn};
pub use throttle::Throttle;
pub use token::Token;
