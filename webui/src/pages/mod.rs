//! What people see: pure functions from a view to HTML. No page reads anything by itself, and none carries inline script
//! or style. `layout` is the frame, `parts` what pages share; figures come by script from `/ws/live` and `/api/v1`.
pub mod alerts;
pub mod assets;
pub mod error;
pub mod flows;
mod format;
pub mod history;
pub mod hosts;
mod layout;
pub mod login;
pub mod overview;
pub mod packets;
mod parts;
pub mod processes;
pub mod sessions;
pub mod settings;
pub mod span;
#[cfg(test)]
mod tests;
pub mod view;
pub mod welcome;

/// A path of this site with the chosen interface kept.
pub fn link(path: &str, interface: Option<&str>) -> String {
    match interface {
        Some(name) => format!("{path}?interface={}", format::query_value(name)),
        None => path.to_owned(),
    }
}
