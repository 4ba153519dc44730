//! Every word of the pages, as full sentences with named gaps: a translation replaces this file and nothing else.
//!
//! Texts that people and help desks know from Access stand as they do there.

use crate::model::check::{CheckState, Step};
use crate::model::refusals::RequirementKind;

/// The language of what follows (BCP 47).
pub(super) const LANGUAGE: &str = "en";

// The frame.
pub(super) const HELP_DESK: &str = "Reference for your help desk:";
pub(super) const GUARDED_BY: &str = "This page comes from the sign-in of {organization}, {host}.";

// Badges.
pub(super) const BADGE_REFUSED: &str = "No access";
pub(super) const BADGE_SIGNED_OUT: &str = "Signed out";
pub(super) const BADGE_PROBLEM: &str = "Something went wrong";
pub(super) const BADGE_DONE: &str = "Done";
pub(super) const BADGE_ATTENTION: &str = "Needs attention";

// Buttons that several pages have.
pub(super) const TRY_AGAIN: &str = "Try again";
pub(super) const ANOTHER_ACCOUNT: &str = "Use another account";

// What several pages say.
pub(super) const SIGNED_IN_AS: &str = "You are signed in as {who}.";
pub(super) const HOW_LONG: &str = "For how long";

// What to do, where several pages say it.
pub(super) const START_AGAIN: &str = "Start again and it should work.";
pub(super) const TRY_LATER: &str = "Wait a moment and try again.";
pub(super) const ASK_ADMINISTRATOR: &str =
    "Trying again will not help: tell your administrator, with the reference below.";
pub(super) const PATH_DROPPED: &str =
    "The address you opened is too long to be kept, so the start page will open instead.";

// Chooser, and the sign-in asked of a request that cannot be redirected.
pub(super) const CHOOSER_TITLE: &str = "Sign in to open {app}";
pub(super) const CHOOSER_TITLE_BARE: &str = "Sign in";
pub(super) const CHOOSER_HOST: &str = "You will return to {host}.";
pub(super) const CHOOSER_LAST_USED: &str = "You used this last time";
pub(super) const SIGN_IN: &str = "What you opened at {host} needs a sign-in first.";
pub(super) const SIGN_IN_GO_ON: &str = "Sign in";

// Refused.
pub(super) const REFUSED_TITLE: &str = "You cannot open {app}";
pub(super) const REFUSED_WHO: &str = "You are signed in as {who}. That account does not have access.";
pub(super) const REFUSED_NO_RULE: &str =
    "If you should be able to open {app}, ask the people who look after it to let you in.";
pub(super) const REFUSED_NO_RULE_NOBODY: &str =
    "{host} is open only to certain networks or services, and this request comes from none of them.";
pub(super) const REFUSED_BLOCKED: &str = "A rule for {app} keeps this request out.";
pub(super) const REFUSED_GROUPS_UNKNOWN: &str = "Your groups could not be read completely, so it is unknown whether you may open {app}. Signing in again may help.";
pub(super) const REFUSED_BROKEN: &str = "The rules for {app} cannot be read at the moment, so nobody is let in. Your administrator finds the reason in the log.";

pub(super) const REFUSED_CONTEXT_UNMET: &str = "Your organization asks for a stronger sign-in to open {app}: {context}. Your sign-in at the identity provider did not confirm it.";
pub(super) const REFUSED_CONTEXT_NOT_ASKED: &str = "A rule for {app} asks for a stronger sign-in, and this gateway is not set up to ask your identity provider for it. Your administrator can change that.";
pub(super) const REFUSED_NOT_EVALUATED: &str = "Another service has to confirm that you may open {app}, and it gave no valid answer. Trying again in a moment may help.";
pub(super) const REQUIREMENTS: &str = "What it asks for:";
pub(super) const REQUIREMENT_MET: &str = "Met:";
pub(super) const REQUIREMENT_UNMET: &str = "Not met:";
pub(super) const REQUIREMENT_UNKNOWN: &str = "Could not be found out:";
pub(super) const REQUIREMENT_OR: &str = ", or ";

/// What a kind of requirement asks for.
pub(super) fn requirement(kind: RequirementKind) -> &'static str {
    match kind {
        RequirementKind::Account => "an account that has been let in by its address",
        RequirementKind::EmailDomain => "an address of a certain domain",
        RequirementKind::Group => "membership in a certain group",
        RequirementKind::Network => "a connection from a certain network, such as the office or the VPN",
        RequirementKind::Country => "a connection from a certain country",
        RequirementKind::SignIn => "a certain way of signing in",
        RequirementKind::StrongerSignIn => "a stronger sign-in",
        RequirementKind::Claim => "a certain entry in your profile",
        RequirementKind::Certificate => "a device with a certificate of the organization",
        RequirementKind::ServiceToken => "the credentials of a service",
        RequirementKind::Evaluation => "the consent of another system",
        RequirementKind::Exception => "no exception that applies to you",
        RequirementKind::Other => "something that is not checked here",
    }
}

// A reason or leave, asked for before an application opens.
pub(super) const ASK_REASON_TITLE: &str = "Why do you open {app}?";
pub(super) const ASK_REASON: &str =
    "{app} asks everybody for a reason before it opens. It is written down with your name.";
pub(super) const ASK_LEAVE_TITLE: &str = "Ask to open {app}";
pub(super) const ASK_LEAVE: &str =
    "{app} opens for a limited time, after somebody who looks after it has agreed.";
pub(super) const ASK_LABEL: &str = "Your reason";
pub(super) const ASK_REASON_HINT: &str = "A sentence is enough; at most 1,000 characters.";
pub(super) const ASK_LEAVE_HINT: &str = "The people who decide read it; at most 1,000 characters.";
pub(super) const ASK_REASON_SEND: &str = "Go on";
pub(super) const ASK_LEAVE_SEND: &str = "Ask";
pub(super) const ASK_REFUSED: &str = "Your last request was declined";
pub(super) const ASK_ENDED: &str = "The time you were given is over";
pub(super) const ASK_UNFIT: &str = "Please write a reason of 1 to 1,000 characters";
pub(super) const ASK_TOO_OFTEN: &str = "You have asked often today; speak to the people who decide";
pub(super) const WAITING_TITLE: &str = "You have asked to open {app}";
pub(super) const WAITING_SINCE: &str = "Asked at {since}. Nobody has answered yet.";
pub(super) const WAITING_MAILED: &str =
    "People who decide have been told by mail. If it is urgent, speak to them.";
pub(super) const WAITING_LAUNCHER: &str =
    "The people who decide see it in their launcher. If it is urgent, tell them.";
pub(super) const WAITING_LOOKS: &str =
    "This page looks again by itself and goes on as soon as they agree. You may close it and come back.";
pub(super) const WAITING_LOOK: &str = "Look now";
pub(super) const BADGE_WAITING: &str = "Waiting";

pub(super) const FORM_REFUSED_TITLE: &str = "That form can no longer be sent";
pub(super) const FORM_REFUSED: &str = "It lay open for too long, you have signed in anew since, or it is not as the page made it. Nothing was changed.";
pub(super) const NOT_AN_APPROVER_TITLE: &str = "You cannot decide about this request";
pub(super) const NOT_AN_APPROVER: &str =
    "It is your own request, or you are not among the people who decide. Nothing was changed.";

// What approvers see.
pub(super) const APPROVALS_TITLE: &str = "Requests waiting for you";
pub(super) const APPROVALS_NONE: &str = "Nobody is waiting for you.";
pub(super) const APPROVALS_WANTS: &str = "wants to open";
pub(super) const APPROVALS_ASKED: &str = "Asked at";
pub(super) const APPROVALS_WORD: &str = "A word to go with it (optional)";
pub(super) const APPROVALS_APPROVE: &str = "Agree";
pub(super) const APPROVALS_REFUSE: &str = "Decline";
pub(super) const APPROVALS_HOLDS: &str = "Given and still good";
pub(super) const APPROVALS_UNTIL: &str = "Until";
pub(super) const APPROVALS_WITHDRAW: &str = "Take it back now";
pub(super) const APPROVALS_COUNTED: &str = "Noted. Others have to agree too";
pub(super) const APPROVALS_GRANTED: &str = "They may enter now";
pub(super) const APPROVALS_REFUSED: &str = "Declined";
pub(super) const APPROVALS_WITHDRAWN: &str = "Taken back: they are out";
pub(super) const APPROVALS_CLOSED: &str = "It has been decided already";

// The passage to the identity provider and back.
pub(super) const CARRY_TITLE: &str = "Taking you to {provider}";
pub(super) const CARRY_BACK: &str = "You sign in there and then come back to {app}.";
pub(super) const CARRY_BACK_BARE: &str = "You sign in there and then come back.";
pub(super) const CARRY_KEPT: &str = "If the address you opened ends in a # and a place on the page, this browser keeps that part until you are back. It is sent to nobody.";
pub(super) const CARRY_GO_ON: &str = "Continue to {provider}";
pub(super) const LANDING_TITLE: &str = "You are signed in";
pub(super) const LANDING_GOING: &str = "Taking you to {app}.";
pub(super) const LANDING_GOING_BARE: &str = "Taking you on.";
pub(super) const LANDING_GO_ON: &str = "Continue to {app}";
pub(super) const LANDING_GO_ON_BARE: &str = "Continue";

// Signed out, identity read again.
pub(super) const SIGNED_OUT_TITLE: &str = "You are signed out";
pub(super) const SIGNED_OUT_EVERYTHING: &str = "This browser's session has ended for every application.";
pub(super) const SIGNED_OUT_EVERYWHERE: &str =
    "All your sessions have ended, in this browser and in every other.";
pub(super) const SIGNED_OUT_OF_TITLE: &str = "You are signed out of {app}";
pub(super) const SIGNED_OUT_OF: &str = "This browser holds nothing for {app} any more. You are still signed in for your other applications, and opening {app} again needs no new sign-in.";
pub(super) const SIGNED_OUT_PROVIDER_STAYS: &str =
    "You are still signed in at your identity provider. On a shared computer, sign out there too.";
pub(super) const SIGNED_OUT_AT_PROVIDER: &str = "Sign out there too";
pub(super) const SIGNED_OUT_BACK: &str = "Back to {name}";
pub(super) const NO_COOKIE_TITLE: &str = "No Access cookie found";
pub(super) const NO_COOKIE: &str = "This browser was not signed in, so there was nothing to end.";
pub(super) const REFRESHED_TITLE: &str = "Your identity is up to date";
pub(super) const REFRESHED: &str =
    "Your name, address and groups were read again. Applications see them from the next page on.";

// A program at a command line.
pub(super) const APPROVE_TITLE: &str = "May a program open {app} for you?";
pub(super) const APPROVE_ASKS: &str =
    "A program that calls itself {agent} asks to open {app} at {host} as you, {who}.";
pub(super) const APPROVE_EVERYTHING: &str =
    "It will then be able to open {app} and everything else here that you may open, until its session ends.";
pub(super) const APPROVE_ONE: &str = "It will then be able to open {app} until its session ends.";
pub(super) const APPROVE_CODE: &str = "Go on only if you started it yourself and it shows this code:";
pub(super) const APPROVE_NO_CODE: &str =
    "A program that shows an address instead: the token in it must begin with {start}.";
pub(super) const APPROVE_PLACES: &str = "This browser is at {here}. The program waits at {there}.";
pub(super) const APPROVE_PLACE: &str = "This browser is at {here}. Where the program waits is not known yet.";
pub(super) const APPROVE_NOT_YOU: &str =
    "If somebody sent you this link, or you started nothing, close this page: nothing has been given away.";
pub(super) const APPROVE_YES: &str = "Let it in";
pub(super) const APPROVED_TITLE: &str = "You can go back to your terminal";
pub(super) const APPROVED: &str = "{agent} can fetch its session now. You can close this page.";
pub(super) const APPROVED_END: &str =
    "The session is one of its own: it goes on when you sign out here, and it can be ended alone.";
pub(super) const APPROVED_OPEN: &str = "Open {app} in this browser";
pub(super) const TRANSFER_USED_TITLE: &str = "This was approved already";
pub(super) const TRANSFER_USED: &str = "Each request of a program can be approved once.";
pub(super) const TRANSFER_MEND: &str = "If the program still waits, start it again.";
pub(super) const TRANSFER_EXPIRED_TITLE: &str = "The program waited too long";
pub(super) const TRANSFER_EXPIRED: &str =
    "A request of a program has to be approved within ten minutes; this one is older.";

// The test of an identity provider.
pub(super) const TEST_TITLE: &str = "Test signing in at {provider}";
pub(super) const TEST_WHAT: &str = "You sign in there once, as people do, and then see what works, what does not, and what mends it. Take an account like those of the people who will use it.";
pub(super) const TEST_LEAVES_NOTHING: &str = "Nobody is signed in by it: it makes no session and no user, and opens no application. That the link was made, and how many of its checks passed, stands in the log.";
pub(super) const TEST_BEFORE: &str = "If Microsoft shows an error";
pub(super) const TEST_ADDRESS: &str =
    "AADSTS50011: this redirect address is not registered for the app, and must be:";
pub(super) const TEST_STUCK: &str = "AADSTS50105: the account is not assigned to the app. Other numbers are told by Microsoft's page itself; it does not lead back here.";
pub(super) const TEST_GO: &str = "Sign in at {provider}";
pub(super) const TESTED_GOOD: &str = "{provider} works";
pub(super) const TESTED_UNKNOWN: &str = "{provider} works, as far as can be told";
pub(super) const TESTED_BAD: &str = "{provider} does not work yet as it is set up";
pub(super) const TESTED_SETUP: &str = "Set-up";
pub(super) const TESTED_SIGN_IN: &str = "Sign-in";
pub(super) const TESTED_PERMISSIONS: &str = "Permissions";
pub(super) const TESTED_MEND: &str = "To do:";
pub(super) const TEST_AGAIN: &str =
    "This link is used up. For another test, make a new one with “vestibule idp test” or by the API.";
pub(super) const TEST_LINK_FOREIGN_TITLE: &str = "This page opens with a link only";
pub(super) const TEST_LINK_FOREIGN: &str =
    "A test of an identity provider begins with a link that was made for it. This address has none.";
pub(super) const TEST_LINK_EXPIRED_TITLE: &str = "This link is too old";
pub(super) const TEST_LINK_EXPIRED: &str = "A link to a test is good for ten minutes.";
pub(super) const TEST_LINK_USED_TITLE: &str = "This link was already used";
pub(super) const TEST_LINK_USED: &str = "Each link opens one test.";
pub(super) const TEST_LINK_MEND: &str =
    "Whoever runs the gateway makes a new one with “vestibule idp test” or by the API.";

/// How a line of the checklist came out, in a word.
pub(super) fn tested(state: CheckState) -> &'static str {
    match state {
        CheckState::Good => "Good",
        CheckState::Warning => "Worth a look",
        CheckState::Bad => "Needs attention",
        CheckState::Unknown => "Not known",
        CheckState::Off => "Not asked for",
    }
}

/// What a line of the checklist is about.
pub(super) fn step(step: Step) -> &'static str {
    match step {
        Step::Discovery => "Directory",
        Step::Clock => "Clock",
        Step::RedirectAddress => "Redirect address",
        Step::Credential => "Credential of the app",
        Step::CredentialExpiry => "End of the credential",
        Step::SignIn => "Person",
        Step::IdToken => "ID token",
        Step::Email => "E-mail address",
        Step::Groups => "Groups",
        Step::Claim => "Claim",
        Step::Contexts => "Authentication contexts",
        Step::DelegatedPermission => "Delegated:",
        Step::ApplicationPermission => "Application:",
    }
}

// A login that did not finish.
pub(super) const INVALID_LOGIN_SESSION_TITLE: &str = "Invalid login session";
pub(super) const INVALID_LOGIN_SESSION: &str =
    "This step of the login belongs to another browser or window, has been used before, or is too old.";
pub(super) const INVALID_LOGIN_SESSION_MEND: &str = "Please try going to the URL of your application again.";
pub(super) const INVALID_SESSION_TITLE: &str = "Invalid session";
pub(super) const INVALID_SESSION: &str =
    "This login was not started in this browser, or its cookie is missing.";
pub(super) const INVALID_SESSION_MEND: &str =
    "Please try logging in again. If that does not help, allow cookies for this site.";
pub(super) const OVERTAKEN: &str =
    "This login was not started in this browser, or another tab has started one since.";
pub(super) const OVERTAKEN_MEND: &str =
    "It starts again by itself in a moment. If it does not, please try logging in again.";
pub(super) const LOGIN_EXPIRED_TITLE: &str = "The login took too long";
pub(super) const LOGIN_EXPIRED: &str = "A login has to be finished within ten minutes; this one is older.";
pub(super) const LOGIN_USED_TITLE: &str = "This login was already used";
pub(super) const LOGIN_USED: &str =
    "Each login can be finished once. Reloading the page or going back asked for it a second time.";
pub(super) const NOT_ACCEPTED_TITLE: &str = "The sign-in could not be verified";
pub(super) const NOT_ACCEPTED: &str =
    "The answer of the identity provider did not pass a security check, so nobody was signed in.";
pub(super) const NOT_ACCEPTED_MEND: &str =
    "Start again. If it happens twice, tell your administrator, with the reference below.";
pub(super) const PROVIDER_UNAVAILABLE_TITLE: &str = "The identity provider does not answer";
pub(super) const PROVIDER_UNAVAILABLE: &str =
    "Signing in needs its answer, and none came. Applications you have open keep working.";
pub(super) const NO_PROVIDER_TITLE: &str = "There is no way to sign in";
pub(super) const NO_PROVIDER: &str = "No identity provider is set up for this application.";
pub(super) const DEPROVISIONED_TITLE: &str = "This account is switched off";
pub(super) const DEPROVISIONED: &str =
    "Your organization's directory says that this account is no longer active.";
pub(super) const ENDED_MEANWHILE_TITLE: &str = "Your sessions were ended";
pub(super) const ENDED_MEANWHILE: &str = "While you were signing in, your sessions here were ended.";
pub(super) const INTERNAL_TITLE: &str = "Something went wrong on our side";
pub(super) const INTERNAL: &str = "The sign-in could not be finished.";
pub(super) const PROVIDER_REFERENCE: &str = "Reference of the identity provider: {id}";

// Stop.
pub(super) const STOP_TITLE: &str = "Signing in to {app} goes round in circles";
pub(super) const STOP: &str = "You were sent to sign in several times within half a minute, and each time {host} did not recognise you. Usually one of these is the cause:";
pub(super) const STOP_CAUSES: [&str; 5] = [
    "Cookies are blocked for {host}: by a setting of the browser, a private window or an extension.",
    "The application is opened inside another site, or its cookie may not be sent from other sites (SameSite=Strict).",
    "{host} is reached over http, but its cookie is sent over https only.",
    "The clock of this computer or of the server is wrong.",
    "A proxy in between takes cookies out, or another address (with or without www) leads to the same application.",
];

// Not found.
pub(super) const NO_HOST_TITLE: &str = "Nothing is here";
pub(super) const NO_HOST: &str = "No application has the address {host}. Check it for a typing error.";
pub(super) const NO_PATH_TITLE: &str = "This address is not open";
pub(super) const NO_PATH: &str =
    "No application at {host} covers what you asked for, and nothing else is let through.";
pub(super) const NO_APPLICATION_TITLE: &str = "Unable to find your Access application!";
pub(super) const NO_APPLICATION: &str =
    "It may have been moved or removed. Go to the address of your application again.";
pub(super) const NO_PAGE_TITLE: &str = "Page not found";
pub(super) const NO_PAGE: &str = "There is no page at this address.";

// Requests not taken.
pub(super) const MALFORMED_TITLE: &str = "This request cannot be read";
pub(super) const MALFORMED: &str = "The request is malformed: {reason}.";
pub(super) const METHOD_TITLE: &str = "This method is not allowed";
pub(super) const METHOD: &str = "The gateway does not take requests of this method here.";
pub(super) const CROSS_SITE_TITLE: &str = "Another site asked for this";
pub(super) const CROSS_SITE: &str =
    "Only you can ask for this, by opening the address yourself. Nothing was changed.";
pub(super) const MISDIRECTED_TITLE: &str = "This connection is another address's";
pub(super) const MISDIRECTED: &str = "{host} asks for certificates, which takes a connection of its own. Close this page and open the address again.";
pub(super) const TOO_LONG_TITLE: &str = "This request is too long";
pub(super) const TOO_LONG: &str = "The request holds more than is read here.";
pub(super) const TOO_SLOW_TITLE: &str = "This request took too long";
pub(super) const TOO_SLOW: &str = "The rest of the request did not come in time.";
pub(super) const TOO_MANY_TITLE: &str = "Too many attempts";
pub(super) const TOO_MANY: &str =
    "Too many requests from your network failed. Wait a minute before you try again.";
pub(super) const BAD_SERVICE_TOKEN_TITLE: &str = "This service token is not accepted";
pub(super) const BAD_SERVICE_TOKEN: &str = "The request shows a service token that is not good, or not in the form that is needed. Check the client ID and the client secret.";

// Not now.
pub(super) const UNAVAILABLE_TITLE: &str = "The gateway cannot let you in right now";
pub(super) const STORE_UNAVAILABLE: &str =
    "The gateway cannot reach its database. Nothing is wrong with your account.";
pub(super) const BUSY: &str = "The gateway has more to do than it can. Nothing is wrong with your account.";

// The application does not answer.
pub(super) const UPSTREAM_TITLE: &str = "{app} does not answer";
pub(super) const UPSTREAM_UNREACHABLE: &str = "You are let in, but the server of {app} could not be reached.";
pub(super) const UPSTREAM_BAD_ANSWER: &str = "You are let in, but the server of {app} gave no valid answer.";
pub(super) const UPSTREAM_TIMED_OUT: &str =
    "You are let in, but the server of {app} took too long to answer.";
pub(super) const UPSTREAM_NOT_CONFIGURED: &str = "You are let in, but no server is set up for {app}.";

// The launcher.
pub(super) const LAUNCHER_TITLE: &str = "Your applications";
pub(super) const LAUNCHER_LINKS: &str = "More";
pub(super) const WELCOME_TITLE: &str = "Sign in to {organization}";
pub(super) const WELCOME_GO: &str = "Sign in";
pub(super) const LAUNCHER_WHO: &str = "Signed in as {who}";
pub(super) const LAUNCHER_SIGN_OUT: &str = "Sign out";
pub(super) const LAUNCHER_SEARCH_LABEL: &str = "Find an application";
pub(super) const LAUNCHER_SEARCH: &str = "Search";
pub(super) const LAUNCHER_TAGS: &str = "Sorted by";
pub(super) const LAUNCHER_SHOW_ALL: &str = "Show all";
pub(super) const LAUNCHER_EMPTY: &str = "No application is open to you here. If you expected one, ask the people who look after it to let you in.";
pub(super) const LAUNCHER_NOT_FOUND: &str = "None of your applications is called so.";
pub(super) const LAUNCHER_MORE: &str = "{number} more are not shown. Search for the one you need.";
pub(super) const LAUNCHER_SESSIONS: &str = "Where you are signed in";
pub(super) const LAUNCHER_THIS_BROWSER: &str = "This browser";
pub(super) const LAUNCHER_SINCE: &str = "signed in";
pub(super) const LAUNCHER_USED: &str = "last used";
pub(super) const LAUNCHER_END: &str = "Sign out there";
pub(super) const LAUNCHER_END_OF: &str = "Sign out of {browser}";
pub(super) const LAUNCHER_EVERYWHERE: &str = "Sign out everywhere";
pub(super) const JUST_NOW: &str = "just now";
pub(super) const MINUTE_AGO: &str = "{number} minute ago";
pub(super) const MINUTES_AGO: &str = "{number} minutes ago";
pub(super) const HOUR_AGO: &str = "{number} hour ago";
pub(super) const HOURS_AGO: &str = "{number} hours ago";
pub(super) const DAY_AGO: &str = "{number} day ago";
pub(super) const DAYS_AGO: &str = "{number} days ago";
