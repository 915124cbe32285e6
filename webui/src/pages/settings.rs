//! One's own account, and what is kept for how long.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Field, field, moment};
use super::view::{PasswordOutcome, SettingsView, Shell};

const FRAME: Frame<'_> =
    Frame { title: "Settings", section: Some(Section::Settings), script: None, interface_selector: false };

pub fn page(view: &SettingsView) -> Markup {
    let content = html! {
        div.grid2 {
            div.column {
                section.card {
                    div.head { h2 { "Password" } }
                    (password_form(&view.shell, "/settings", view.outcome))
                }
                section.card {
                    div.head { h2 { "Session" } }
                    p { "Logged in as " b { (view.shell.user) } "." }
                    form method="post" action="/logout" {
                        input type="hidden" name="csrf" value=(view.shell.csrf);
                        button type="submit" { "Log out" }
                    }
                }
            }
            div.column {
                (tokens(view))
                section.card {
                    div.head { h2 { "History" } }
                    dl {
                        @for (name, value) in &view.retention { div { dt { (name) } dd { (value) } } }
                        div { dt { "Database" } dd data-bytes=(view.database_bytes) { (view.database_bytes) " bytes" } }
                        div { dt { "Version" } dd { (view.version) } }
                    }
                }
                section.card {
                    div.head { h2 { "Theme" } }
                    p.dim { "Remembered by this browser." }
                    div.chips role="group" aria-label="Theme" {
                        @for (value, label) in [("system", "As the system"), ("light", "Light"), ("dark", "Dark")] {
                            button type="button" data-theme-choice=(value) { (label) }
                        }
                    }
                }
            }
        }
    };
    framed(&view.shell, &FRAME, &content)
}

fn tokens(view: &SettingsView) -> Markup {
    html! {
        section.card {
            div.head { h2 { "Tokens for the JSON API" } }
            p.dim { "Made on this machine by " code { "weir-webui token create NAME" } "; each is shown only then." }
            @if view.tokens.is_empty() { p { "There are none." } }
            @for token in &view.tokens {
                form.token method="post" action="/settings/tokens" {
                    input type="hidden" name="csrf" value=(view.shell.csrf);
                    input type="hidden" name="revoke" value=(token.name);
                    p {
                        b { (token.name) }
                        small {
                            "created " (moment(token.created)) ", "
                            @match token.last_used {
                                Some(used) => { "last used " (moment(used)) }
                                None => { "never used" }
                            }
                        }
                    }
                    button type="submit" aria-label={ "Revoke " (token.name) } { "Revoke" }
                }
            }
        }
    }
}

/// Posts `csrf`, `current`, `new` and `repeat` to `action`.
pub(super) fn password_form(shell: &Shell, action: &str, outcome: Option<PasswordOutcome>) -> Markup {
    html! {
        @if let Some(outcome) = outcome {
            @let class = if outcome == PasswordOutcome::Changed { "banner ok" } else { "banner bad" };
            p class=(class) role="alert" { (outcome_text(outcome)) }
        }
        form method="post" action=(action) {
            input type="hidden" name="csrf" value=(shell.csrf);
            // for password keepers, which look for the name beside the password
            input.visually-hidden type="text" name="username" value=(shell.user) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
            (field(&CURRENT, ""))
            (field(&NEW, ""))
            (field(&REPEAT, ""))
            button.primary type="submit" { "Change password" }
        }
    }
}

const CURRENT: Field<'_> = Field {
    name: "current",
    label: "Current password",
    kind: "password",
    autocomplete: "current-password",
    hint: "",
};
const NEW: Field<'_> = Field {
    name: "new",
    label: "New password",
    kind: "password",
    autocomplete: "new-password",
    hint: "At least 12 characters, and not one of the common ones.",
};
const REPEAT: Field<'_> = Field {
    name: "repeat",
    label: "New password again",
    kind: "password",
    autocomplete: "new-password",
    hint: "",
};

fn outcome_text(outcome: PasswordOutcome) -> String {
    match outcome {
        PasswordOutcome::Changed => {
            "The password has been changed. Other sessions were logged out.".to_owned()
        }
        PasswordOutcome::WrongCurrent => "The current password is not right.".to_owned(),
        PasswordOutcome::Same => "The new password is the current one. Choose another.".to_owned(),
        PasswordOutcome::TooShort => "The new password is too short: it needs 12 characters.".to_owned(),
        PasswordOutcome::TooCommon => {
            "The new password is among the most common ones. Choose another.".to_owned()
        }
        PasswordOutcome::NotRepeated => "The two new passwords differ.".to_owned(),
        PasswordOutcome::Throttled { retry_after_seconds } => {
            format!("Too many tries. The next one is possible in {retry_after_seconds} s.")
        }
    }
}
