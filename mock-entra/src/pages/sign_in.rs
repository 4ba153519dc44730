//! The sign-in page: the tenant's people as buttons, and a form for those who type.

use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::{escape, hidden, page};
use crate::aadsts::Refusal;
use crate::authorize::AuthorizeRequest;
use crate::directory::User;

/// The page for one authorize request; its forms post back to the same address.
pub(crate) struct SignInPage<'a> {
    request: &'a AuthorizeRequest,
    action: String,
}

impl<'a> SignInPage<'a> {
    /// The page of this request.
    pub(crate) fn new(request: &'a AuthorizeRequest, uri: &Uri) -> Self {
        Self {
            request,
            action: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// As it is shown first.
    pub(crate) fn plain(&self) -> Response {
        self.show(StatusCode::OK, None)
    }

    /// With the reason why the last try failed.
    pub(crate) fn with_refusal(&self, refusal: &Refusal) -> Response {
        self.show(StatusCode::OK, Some(refusal))
    }

    /// The page `prompt=consent` asks for.
    pub(crate) fn consent(&self, user: &User) -> Response {
        let app = &self.request.app;
        let granted = self.request.scopes.granted();
        let permissions: Vec<String> = granted
            .split(' ')
            .map(|scope| format!("<li>{}</li>", escape(scope)))
            .collect();
        let permissions = permissions.concat();
        let body = format!(
            "<h1>Permissions requested</h1><p>{} asks <strong>{}</strong> for:</p><ul>{permissions}</ul>\
             <form method=\"post\" action=\"{}\">{}<div class=\"row\">\
             <button name=\"consent\" value=\"no\">Cancel</button>\
             <button class=\"main\" name=\"consent\" value=\"yes\">Accept</button></div></form>",
            escape(&app.name),
            escape(user.shown_name()),
            escape(&self.action),
            hidden("login", &user.upn),
        );
        page(StatusCode::OK, "Permissions requested", &body)
    }

    fn show(&self, status: StatusCode, refusal: Option<&Refusal>) -> Response {
        let app = escape(&self.request.app.name);
        let error = refusal
            .map(|refusal| {
                format!(
                    "<p class=\"error\" role=\"alert\">{}</p>",
                    escape(&refusal.headline())
                )
            })
            .unwrap_or_default();
        let body = format!(
            "<h1>Sign in</h1><p class=\"quiet\">to continue to {app}</p>{error}\
             <form method=\"post\" action=\"{action}\"><ul class=\"people\">{people}</ul></form>\
             <form method=\"post\" action=\"{action}\"><h2>Someone else</h2>\
             <label for=\"login\">User name</label>\
             <input id=\"login\" name=\"login\" value=\"{hint}\" autocomplete=\"username\" autocapitalize=\"none\" required>\
             <label for=\"passwd\">Password</label>\
             <input id=\"passwd\" name=\"passwd\" type=\"password\" autocomplete=\"current-password\">\
             <p class=\"quiet\">Any password is right, except <code>wrong</code>.</p>\
             <div class=\"row\"><button name=\"cancel\" value=\"1\" formnovalidate>Cancel</button>\
             <button class=\"main\">Sign in</button></div></form>",
            action = escape(&self.action),
            people = self.people(),
            hint = escape(self.request.login_hint.as_deref().unwrap_or_default()),
        );
        page(status, "Sign in to your account", &body)
    }

    fn people(&self) -> String {
        let tenants = self.request.tenants.iter();
        let people = tenants.flat_map(|tenant| tenant.users.iter().map(move |user| (tenant, user)));
        let buttons = people.map(|(tenant, user)| {
            let kind = match (user.enabled, user.guest) {
                (false, _) => "disabled account",
                (true, true) => "guest",
                (true, false) => "member",
            };
            format!(
                "<li><button name=\"login\" value=\"{}\">{}<small>{} · {kind} of {}</small></button></li>",
                escape(&user.upn),
                escape(&user.name),
                escape(user.shown_name()),
                escape(&tenant.name),
            )
        });
        buttons.collect()
    }
}
