//! Signing in.
use maud::{Markup, html};

use super::layout::bare;
use super::parts::{Field, field};
use super::view::{LoginProblem, LoginView};

/// Posts `csrf`, `next`, `user` and `password` to `/login`.
pub fn page(view: &LoginView) -> Markup {
    let content = html! {
        section.card.form-card {
            h1 { "Log in" }
            @if view.exposed_without_tls {
                p.banner.warn { b { "Not encrypted." } " Your password can be read on its way here." }
            }
            @if let Some(problem) = view.problem { p.banner.bad role="alert" { (problem_text(problem)) } }
            form method="post" action="/login" {
                input type="hidden" name="csrf" value=(view.csrf);
                input type="hidden" name="next" value=(view.next);
                (field(&USER, &view.user))
                (field(&PASSWORD, ""))
                button.primary type="submit" { "Log in" }
            }
            @if view.no_password_yet {
                p.dim { "No password has been set yet. On the machine itself run " code { "weir-webui user password admin" } "." }
            } @else {
                p.dim { "Password lost? On the machine itself run " code { "weir-webui user password NAME" } "." }
            }
        }
    };
    bare("Log in", &content)
}

const USER: Field<'_> =
    Field { name: "user", label: "User", kind: "text", autocomplete: "username", hint: "" };
const PASSWORD: Field<'_> = Field {
    name: "password",
    label: "Password",
    kind: "password",
    autocomplete: "current-password",
    hint: "",
};

fn problem_text(problem: LoginProblem) -> String {
    match problem {
        LoginProblem::Wrong => "That user and password do not match.".to_owned(),
        LoginProblem::Throttled { retry_after_seconds } => {
            format!("Too many tries. The next one is possible in {retry_after_seconds} s.")
        }
        LoginProblem::SessionEnded => "Your session has ended. Please log in again.".to_owned(),
        LoginProblem::FormExpired => "This form was open for too long. Please try again.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_user_name_is_text() {
        let view = LoginView { user: "\"><script>alert(1)</script>".to_owned(), ..LoginView::default() };
        let html = page(&view).into_string();
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("&lt;script&gt;"));
    }
}
