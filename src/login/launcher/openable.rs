//! Which applications a person may open, and where each begins.

use crate::login::call::Call;
use crate::login::hand_over::{Judged, judge};
use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::host::Host;
use crate::router::Found;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// An application that would let the person in.
#[derive(Debug, Clone)]
pub(super) struct Openable {
    pub(super) name: String,
    /// The address it is known by.
    pub(super) place: String,
    /// Where it opens; absent where all of its addresses stand for many.
    pub(super) href: Option<String>,
    pub(super) logo: Option<url::Url>,
    pub(super) tags: Vec<String>,
}

/// All of them by name: judged for the person as they are now, from where this request comes.
pub(super) fn of(call: &Call<'_>, session: &LiveSession) -> Vec<Openable> {
    let applications = call.snapshot.applications.values();
    let open = applications
        .filter(|application| application.broken.is_none() && application.app.launcher.visible)
        // The launcher itself is no application to open.
        .filter(|application| application.design.is_none())
        .filter(|application| {
            // What is asked for besides (a reason, an approval) is asked for on the way in.
            let judged = judge(call, application, session, None);
            matches!(judged, Judged::Enters(_) | Judged::Open | Judged::Needs(_))
        });
    let mut openable: Vec<Openable> = open.map(|application| describe(call, application)).collect();
    openable.sort_by_cached_key(|one| (one.name.to_lowercase(), one.place.clone()));
    openable
}

fn describe(call: &Call<'_>, application: &ProtectedApplication) -> Openable {
    let app: &Application = &application.app;
    let beginning = app
        .destinations
        .iter()
        .find_map(|destination| beginning(call, app, destination));
    Openable {
        name: app.name.clone(),
        place: app
            .destinations
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
        href: beginning,
        logo: app.launcher.logo.as_ref().map(|logo| logo.url().clone()),
        tags: app
            .launcher
            .tags
            .iter()
            .map(|tag| tag.as_str().to_owned())
            .collect(),
    }
}

/// The address that a destination begins with, where it is this application's and no pattern.
fn beginning(call: &Call<'_>, app: &Application, destination: &Destination) -> Option<String> {
    let host: Host = destination.host().parse().ok()?;
    let path = match destination.path() {
        "" => "/",
        // What stands for many paths has none to open.
        pattern if pattern.contains('*') => return None,
        path => path,
    };
    let own = matches!(call.snapshot.routes.find(&host, path), Found::Match(known) if known.app.id == app.id);
    own.then(|| format!("{}{path}", call.auth().origin_of(&host)))
}
