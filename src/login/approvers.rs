//! What approvers see and say: `GET` and `POST auth/cdn-cgi/access/approvals`.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::{Answer, redirect, see_other};
use super::call::Call;
use super::failure::{Ended, Why};
use super::form;
use super::launcher;
use super::query::Query;
use super::reason::{policy_of, sent};
use super::state::OwnPage;
use crate::mail::Mail;
use crate::model::email::EmailAddress;
use crate::model::identity::PersonKey;
use crate::model::ids::UserId;
use crate::model::policy::{ApprovalGroup, Policy};
use crate::model::time::ms_to_the_minute;
use crate::pages::person::{Approvals, Asked, LENGTHS, Said};
use crate::session::table::LiveSession;
use crate::snapshot::{ProtectedApplication, Snapshot};
use crate::store::{ApprovalRequest, ApprovalState, OpenRequest, Vote, Voted};

/// The name of the page below `/cdn-cgi/access/`, and of its forms.
pub(super) const NAME: &str = "approvals";

/// The longest word of an approver, in characters.
const LONGEST_WORD: usize = 200;

/// What a form of this page is about.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    request: Uuid,
}

/// Shows what waits, or takes what the approver says.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    match call.parts.method {
        Method::GET | Method::HEAD => show(call).await,
        _ => said(call).await,
    }
}

/// Everybody who may give the leave that a policy asks for.
pub(super) fn of(snapshot: &Snapshot, policy: &Policy) -> BTreeSet<EmailAddress> {
    let groups = policy.approval_groups.iter();
    let of_group = |group: &ApprovalGroup| {
        let listed = group
            .email_list
            .and_then(|list| snapshot.referents.addresses_on(list));
        let listed = listed.into_iter().flatten().cloned();
        let own = group.email_addresses.iter().cloned();
        own.chain(listed).collect::<Vec<_>>()
    };
    groups.flat_map(of_group).collect()
}

/// How many requests wait for a person, for the launcher.
pub(super) async fn waiting_for(call: &Call<'_>, session: &LiveSession) -> Result<usize, Why> {
    let Some(approver) = Approver::of(session) else {
        return Ok(0);
    };
    // Most people decide about nothing: the store is asked for those who do.
    let mut policies = call
        .snapshot
        .applications
        .values()
        .flat_map(|application| application.policy_docs.iter());
    if !policies.any(|policy| decides(&call.snapshot, policy, &approver.address)) {
        return Ok(0);
    }
    let open = call
        .login
        .store
        .approval_requests_open_to(approver.person)
        .await?;
    let waiting = |open: &&OpenRequest| open.waits() && entitled(call, &open.request, &approver).is_some();
    Ok(open.iter().filter(waiting).count())
}

/// Somebody who may be an approver: an address that is not verified entitles to nothing.
struct Approver {
    user: UserId,
    person: PersonKey,
    address: EmailAddress,
}

impl Approver {
    fn of(session: &LiveSession) -> Option<Self> {
        let identity = session.identity();
        Some(Self {
            user: session.user(),
            person: identity.identity.person,
            address: identity.identity.trusted_email()?.clone(),
        })
    }
}

/// Whether an address is one of those who give the leave that a policy asks for.
fn decides(snapshot: &Snapshot, policy: &Policy, address: &EmailAddress) -> bool {
    let mut groups = policy.approval_groups.iter();
    groups.any(|group| is_in(snapshot, group, address))
}

fn is_in(snapshot: &Snapshot, group: &ApprovalGroup, address: &EmailAddress) -> bool {
    let listed = |list| snapshot.referents.is_on_email_list(list, address);
    group.email_addresses.contains(address) || group.email_list.and_then(listed) == Some(true)
}

/// Whether those who said yes, by address, are enough: as many of each group as it needs.
fn enough(snapshot: &Snapshot, policy: &Policy, yes: &[String]) -> bool {
    let yes: BTreeSet<EmailAddress> = yes.iter().filter_map(|yes| yes.parse().ok()).collect();
    !policy.approval_groups.is_empty()
        && policy.approval_groups.iter().all(|group| {
            let agreed = yes.iter().filter(|yes| is_in(snapshot, group, yes));
            u32::try_from(agreed.count()).unwrap_or(u32::MAX) >= group.approvals_needed
        })
}

/// The application and policy of a request that this person may decide. Nobody decides about themself.
fn entitled<'s>(
    call: &'s Call<'_>,
    request: &ApprovalRequest,
    approver: &Approver,
) -> Option<(&'s Arc<ProtectedApplication>, &'s Policy)> {
    if request.is_from(approver.user, approver.person, approver.address.as_str()) {
        return None;
    }
    let application = call.snapshot.applications.get(&request.app)?;
    let policy = policy_of(application, request.policy)?;
    decides(&call.snapshot, policy, &approver.address).then_some((application, policy))
}

async fn show(call: &Call<'_>) -> Result<Answer, Ended> {
    let Some(session) = call.organization_session().await? else {
        // Who followed a mail and is not signed in.
        return Ok(redirect(&launcher::login_address(OwnPage::Approvals)));
    };
    let approver = Approver::of(&session);
    let open = match &approver {
        Some(approver) => {
            let open = call.login.store.approval_requests_open_to(approver.person);
            open.await.map_err(Why::from)?
        }
        None => Vec::new(),
    };
    let (mut waiting, mut granted) = (Vec::new(), Vec::new());
    for open in &open {
        let request = &open.request;
        let entitled = approver
            .as_ref()
            .and_then(|approver| entitled(call, request, approver));
        let Some((application, _)) = entitled else {
            continue;
        };
        if open.waits() {
            waiting.push(asked(call, &session, application, request));
        } else if request.state == ApprovalState::Granted {
            granted.push(asked(call, &session, application, request));
        }
    }
    Ok(call.page(&Approvals {
        waiting: &waiting,
        granted: &granted,
        said: call.query.value("said").and_then(said_of),
        action: &format!("/cdn-cgi/access/{NAME}"),
        home: "/",
    }))
}

fn asked(
    call: &Call<'_>,
    session: &LiveSession,
    application: &ProtectedApplication,
    request: &ApprovalRequest,
) -> Asked {
    let shorter = |(minutes, _): &&(i64, &str)| minutes * 60_000 <= request.length_ms;
    Asked {
        who: request
            .email
            .clone()
            .or_else(|| request.name.clone())
            .unwrap_or_else(|| request.user.to_string()),
        app: application.app.name.clone(),
        reason: request.reason.clone(),
        when: ms_to_the_minute(request.until_ms.unwrap_or(request.created_ms)),
        lengths: LENGTHS.iter().filter(shorter).copied().collect(),
        form: form::seal(call, NAME, session, About { request: request.id }),
    }
}

async fn said(call: &Call<'_>) -> Result<Answer, Ended> {
    let session = sent(call).await?;
    let (fields, about) = form::open::<About>(call, NAME, &session)?;
    let store = &call.login.store;
    let request = store.approval_request(about.request).await.map_err(Why::from)?;
    let request = request.ok_or(Why::Form)?;
    // Asked again now: whoever was an approver when the page was made may not be one any more.
    let approver = Approver::of(&session).ok_or(Why::NotAnApprover)?;
    let (application, policy) = entitled(call, &request, &approver).ok_or(Why::NotAnApprover)?;
    let said = match fields.value("say") {
        Some("withdraw") => withdraw(call, &request).await?,
        Some(say @ ("approve" | "refuse")) => {
            let length_ms = match say {
                "approve" => Some(length(&fields, &request)?),
                _ => None,
            };
            let vote = Vote {
                approver: approver.user,
                person: approver.person,
                email: approver.address.to_string(),
                length_ms,
                word: fields
                    .value("word")
                    .map(|word| word.chars().take(LONGEST_WORD).collect()),
            };
            count(call, &request, policy, &vote).await?
        }
        _ => return Err(Why::Form.into()),
    };
    tracing::info!(
        request.id = %call.request_id, user.id = %request.user, approver.id = %session.user(),
        application = %application.app.name, approval = %request.id, outcome = word(said),
        "An approver decided"
    );
    tell_requester(call, application, &request, said);
    Ok(see_other(&format!("/cdn-cgi/access/{NAME}?said={}", word(said))))
}

/// For how long an approver gives leave: not longer than was asked for.
fn length(fields: &Query<'_>, request: &ApprovalRequest) -> Result<i64, Why> {
    let minutes: Option<i64> = fields.value("minutes").and_then(|minutes| minutes.parse().ok());
    minutes
        .filter(|minutes| *minutes > 0)
        .map(|minutes| minutes.saturating_mul(60_000).min(request.length_ms))
        .ok_or(Why::Form)
}

async fn count(
    call: &Call<'_>,
    request: &ApprovalRequest,
    policy: &Policy,
    vote: &Vote,
) -> Result<Said, Why> {
    let snapshot = call.snapshot.clone();
    let voted = call
        .login
        .store
        .vote(request.id, vote, &|yes| enough(&snapshot, policy, yes))
        .await?;
    Ok(match voted {
        Voted::Counted => Said::Counted,
        Voted::Refused => Said::Refused,
        Voted::Closed => Said::Closed,
        Voted::Granted { sessions, .. } => {
            call.login.sessions.take_over(sessions);
            Said::Granted
        }
    })
}

async fn withdraw(call: &Call<'_>, request: &ApprovalRequest) -> Result<Said, Why> {
    let Some((_, sessions)) = call.login.store.withdraw_approval(request.id).await? else {
        return Ok(Said::Closed);
    };
    call.login.sessions.take_over(sessions);
    Ok(Said::Withdrawn)
}

fn tell_requester(
    call: &Call<'_>,
    application: &ProtectedApplication,
    request: &ApprovalRequest,
    said: Said,
) {
    let (Some(to), what) = (
        request.email.clone(),
        match said {
            Said::Granted => "You may open",
            Said::Refused => "Your request was declined:",
            Said::Withdrawn => "The time you were given has been ended:",
            Said::Counted | Said::Closed => return,
        },
    ) else {
        return;
    };
    let address = application
        .app
        .destinations
        .first()
        .and_then(|destination| destination.host().parse().ok());
    call.login.mailer.send(Mail {
        to,
        subject: format!("{what} {}", application.app.name),
        paragraphs: vec![format!("{what} {}.", application.app.name)],
        link: address.map(|host| {
            (
                application.app.name.clone(),
                format!("{}/", call.auth().origin_of(&host)),
            )
        }),
        about: None,
    });
}

const WORDS: [(Said, &str); 5] = [
    (Said::Counted, "counted"),
    (Said::Granted, "granted"),
    (Said::Refused, "refused"),
    (Said::Withdrawn, "withdrawn"),
    (Said::Closed, "closed"),
];

fn word(said: Said) -> &'static str {
    WORDS
        .iter()
        .find(|(known, _)| *known == said)
        .map_or("", |(_, word)| *word)
}

fn said_of(word: &str) -> Option<Said> {
    WORDS
        .iter()
        .find(|(_, known)| *known == word)
        .map(|(said, _)| *said)
}
