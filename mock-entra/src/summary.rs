//! What the binary prints when it starts: addresses, people, and what an application has to be told.

use std::fmt::Write as _;

use crate::directory::{AppRegistration, MemberRef, Tenant, User};
use crate::server::MockEntra;

impl MockEntra {
    /// Addresses, people and settings, as text for a terminal.
    pub fn summary(&self) -> String {
        let base_url = self.base_url();
        let mut text = format!("mock-entra listens on {base_url}/ (for tests only)\n");
        for tenant in self.directory().tenants() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nTenant {} ({})", tenant.name, tenant.id);
            tenant
                .users
                .iter()
                .for_each(|user| person(&mut text, &tenant, user));
            tenant
                .apps
                .values()
                .for_each(|app| application(&mut text, &base_url, &tenant, app));
        }
        text
    }
}

fn person(text: &mut String, tenant: &Tenant, user: &User) {
    let groups = tenant.transitive_groups(&MemberRef::User(user.oid.clone()));
    let kind = match (user.enabled, user.guest) {
        (false, _) => "disabled",
        (true, true) => "guest",
        (true, false) => "member",
    };
    let groups = match groups.len() {
        0 => "no groups".to_owned(),
        1..=5 => groups
            .iter()
            .map(|group| group.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        many => format!("{many} groups"),
    };
    let _ = writeln!(text, "  {:<28} {kind:<9} {groups}", user.shown_name());
}

fn application(text: &mut String, base_url: &str, tenant: &Tenant, app: &AppRegistration) {
    let redirects = app
        .redirect_uris
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    let _ = write!(
        text,
        "  App {}\n    authority      {base_url}/{}/v2.0\n    client id      {}\n    redirect       {}\n    graph          \
         {base_url}/v1.0\n",
        app.name,
        tenant.id,
        app.client_id,
        if redirects.is_empty() {
            "none: add one with --redirect-uri or in the file"
        } else {
            &redirects
        },
    );
}
