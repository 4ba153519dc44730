//! The first sign-in at an application of several hosts gives each of them its cookie at once, so that its pages may call
//! one another's (Access: `eager_redirect_cookie_setting`).
//!
//! ```text
//! GET app…/authorized?nonce&state      token for the host asked for                       + CF_Authorization
//! GET other…/authorized?eager          binds what follows to this browser                 + CF_AppSession
//! GET auth…/eager?state                the same session, and the policies let it in       a ticket, for other
//! GET other…/authorized?nonce&state    as at every hand-over                              + CF_Authorization
//!   …
//! GET app/deep?x=1
//! ```
//! Nothing is had by it that opening the other hosts one after the other would not give. Whatever goes wrong on the way,
//! the browser goes on to where it wanted to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, redirect, set_cookie};
use super::bounce::Bounces;
use super::call::{Call, label};
use super::challenge::app_session;
use super::evaluate::MaxAge;
use super::failure::{Ended, Why};
use super::fingerprint::Fingerprint;
use super::hand_over::{Judged, judge_anew};
use super::landing::Landing;
use super::return_path::ReturnPath;
use super::ticket::{LIFE_SECONDS, Ticket, TicketRefused};
use crate::crypto::seal::Purpose;
use crate::model::application::{Application, SameSite};
use crate::model::host::Host;
use crate::model::ids::SessionNonce;
use crate::pages::person;
use crate::session::cookies;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// Hosts that are visited, the one asked for included. Browsers follow some twenty redirects, and each host takes three.
pub const MOST_HOSTS: usize = 5;

/// The way round the hosts of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Where it began, and ends.
    #[serde(rename = "l")]
    home: Landing,
    /// The session.
    #[serde(rename = "s")]
    session: SessionNonce,
    /// How many of the other hosts have been visited or passed over, this one included.
    #[serde(rename = "n")]
    reached: usize,
    #[serde(rename = "i")]
    issued: i64,
}

/// Answers with the way on from a host whose cookie has just been set: to the next host, or home.
pub(super) fn onward(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    landing: &Landing,
    round: Option<&Round>,
) -> Answer {
    let (home, reached) = round.map_or((landing, 0), |round| (&round.home, round.reached));
    let others = others(&application.app, &home.host);
    if let Some((host, _)) = others.get(reached) {
        return redirect(&visit_address(call, home, session.nonce(), host, reached + 1));
    }
    match round {
        Some(round) => go_home(call, round),
        None => arrive(call, application, home),
    }
}

/// `GET other…/authorized?eager=…`.
pub(super) async fn visit(call: &Call<'_>, sealed: &str) -> Result<Answer, Ended> {
    let host = call.visit.target.host();
    let round: Round = open(call, sealed, host)?;
    let Some(application) = call.application_at(&round.home) else {
        return Ok(go_home(call, &round));
    };
    if *host == round.home.host {
        return Ok(arrive(call, &application, &round.home));
    }
    let here = call.application_session(|shown| shown.app.id == application.app.id);
    if let Some(shown) = here.await?
        && *shown.session.nonce() == round.session
    {
        let session = Arc::clone(&shown.session);
        return Ok(onward(call, &application, &session, &round.home, Some(&round)));
    }
    let browser = app_session(&call.parts.headers);
    let hop = Hop {
        browser: Fingerprint::of(&browser),
        round: fresh(call, round),
    };
    let mut answer = redirect(&format!(
        "{}?state={}",
        call.auth().address("/cdn-cgi/access/eager"),
        seal(call, &hop, call.auth().host())
    ));
    set_cookie(&mut answer, cookies::set_app_session(call.auth(), &browser));
    Ok(answer)
}

/// `GET auth…/eager?state=…`: whether this browser's session is the one that goes round, and may.
pub(super) async fn hub(call: &Call<'_>) -> Result<Answer, Ended> {
    let state = call.query.value("state").unwrap_or_default();
    let Hop { browser, round } = open(call, state, call.auth().host())?;
    let home = go_home(call, &round);
    let Some(application) = call.application_at(&round.home) else {
        return Ok(home);
    };
    let others = others(&application.app, &round.home.host);
    let Some((host, path)) = round.reached.checked_sub(1).and_then(|index| others.get(index)) else {
        return Ok(home);
    };
    let Some(session) = call.organization_session().await? else {
        return Ok(home);
    };
    let landing = Landing {
        app: application.app.id,
        host: host.clone(),
        path: path.clone(),
        app_session: browser,
        // What the first host knew of the browser's; the other asks its own connection at the end.
        certificate: round.home.certificate.clone(),
        bounces: Bounces::default(),
    };
    let covered = call.application_at(&landing).is_some();
    if *session.nonce() != round.session || !covered {
        return Ok(home);
    }
    match judge_anew(call, &application, &session, &landing, MaxAge::End).await? {
        Judged::Enters(_) => {
            let login = call.login;
            let ticket = Ticket::new(session.nonce().clone(), landing, &login.clock).of(fresh(call, round));
            Ok(redirect(&ticket.address(
                call.auth(),
                &login.sealer,
                &login.clock,
            )))
        }
        _ => Ok(home),
    }
}

/// To where the person wanted to go, whatever became of the way round.
pub(super) fn go_home(call: &Call<'_>, round: &Round) -> Answer {
    let home = &round.home;
    let application = call.application_at(home);
    if application.is_some_and(|application| needs_page(&application.app)) {
        // The page must stand on the host whose cookie is to be sent.
        let page = visit_address(call, home, &round.session, &home.host, round.reached);
        return redirect(&page);
    }
    redirect(&home.address(call.auth()))
}

/// The last step: by redirect, or by a page where the cookie is `SameSite=Strict`. A browser that came from the provider by
/// redirects would not send such a cookie, and be sent back there for ever; from a page of the host's own it does.
pub(super) fn arrive(call: &Call<'_>, application: &ProtectedApplication, landing: &Landing) -> Answer {
    let next = landing.address(call.auth());
    if !needs_page(&application.app) {
        return redirect(&next);
    }
    call.page(&person::Landing {
        app: Some(label(application, landing)),
        flow: "",
        next: &next,
    })
}

fn needs_page(application: &Application) -> bool {
    application.same_site_cookie_attribute == Some(SameSite::Strict)
}

/// The other hosts of an application that are to get its cookie, each with the first path it has there. A wildcard stands
/// for hosts that nobody can list.
fn others(application: &Application, home: &Host) -> Vec<(Host, ReturnPath)> {
    let mut others: Vec<(Host, ReturnPath)> = Vec::new();
    if !application.eager_redirect_cookie_setting {
        return others;
    }
    for destination in &application.destinations {
        let Some(host) = destination
            .is_exact_host()
            .then(|| destination.host().parse::<Host>().ok())
        else {
            continue;
        };
        let known = |host: &Host| *host == *home || others.iter().any(|(other, _)| other == host);
        if let Some(host) = host.filter(|host| !known(host))
            && others.len() + 1 < MOST_HOSTS
        {
            others.push((host, ReturnPath::first_of(destination)));
        }
    }
    others
}

/// What a host's step is bound to besides the round itself.
#[derive(Serialize, Deserialize)]
struct Hop {
    #[serde(rename = "b")]
    browser: Fingerprint,
    #[serde(rename = "r")]
    round: Round,
}

fn visit_address(
    call: &Call<'_>,
    home: &Landing,
    session: &SessionNonce,
    host: &Host,
    reached: usize,
) -> String {
    let round = Round {
        home: home.clone(),
        session: session.clone(),
        reached,
        issued: call.login.clock.now_seconds(),
    };
    let origin = call.auth().origin_of(host);
    format!(
        "{origin}/cdn-cgi/access/authorized?eager={}",
        seal(call, &round, host)
    )
}

fn fresh(call: &Call<'_>, round: Round) -> Round {
    Round {
        issued: call.login.clock.now_seconds(),
        ..round
    }
}

fn seal(call: &Call<'_>, what: &impl Serialize, host: &Host) -> String {
    // Texts and numbers always have a JSON form.
    let plain = serde_json::to_vec(what).unwrap_or_default();
    let login = call.login;
    login.sealer.seal_text(
        Purpose::Eager,
        host.as_str().as_bytes(),
        &plain,
        login.clock.now_ms(),
    )
}

/// What was sealed for this host, a minute ago at most. Of what is older only the way home is left.
fn open<T: for<'de> Deserialize<'de> + Timed>(
    call: &Call<'_>,
    sealed: &str,
    host: &Host,
) -> Result<T, Ended> {
    let login = call.login;
    let plain = login.sealer.open_text(
        Purpose::Eager,
        host.as_str().as_bytes(),
        sealed,
        login.clock.now_ms(),
    );
    let opened: Option<T> = plain.ok().and_then(|plain| serde_json::from_slice(&plain).ok());
    let opened = opened.ok_or(Why::Ticket(TicketRefused::Foreign))?;
    let age = login.clock.now_seconds().saturating_sub(opened.round().issued);
    if age < LIFE_SECONDS {
        Ok(opened)
    } else {
        Err(Ended::from(Why::Ticket(TicketRefused::Expired)).on_the_way_to(&opened.round().home))
    }
}

trait Timed {
    fn round(&self) -> &Round;
}

impl Timed for Round {
    fn round(&self) -> &Round {
        self
    }
}

impl Timed for Hop {
    fn round(&self) -> &Round {
        &self.round
    }
}
