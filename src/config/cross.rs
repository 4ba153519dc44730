//! What can be wrong only between sections: addresses that two applications claim, applications over the auth host,
//! addresses that lead nowhere.

use std::collections::HashMap;

use super::applications::Application;
use super::organization::OrganizationConfig;
use super::tree::Node;
use crate::model::destination::Destination;
use crate::model::upstream::Upstream;

/// Holds applications against each other, the auth host and the upstreams.
pub(super) fn check_applications(
    applications: &[Application<'_>],
    organization: Option<&OrganizationConfig>,
    upstreams: Option<&[Upstream]>,
) {
    let launchers = applications
        .iter()
        .filter_map(|application| application.launcher.as_ref());
    for node in launchers.skip(1) {
        node.fault(
            "another application is the launcher already",
            "keep one of the two",
        );
    }
    let mut claimed: HashMap<&Destination, &str> = HashMap::new();
    for application in applications {
        let name = application.declaration.name.as_str();
        for (destination, node) in &application.destinations {
            if let Some(other) = claimed.insert(destination, name) {
                node.fault(
                    format!("{destination} is covered by the application \"{other}\" already"),
                    "give it to one of them",
                );
            }
            if organization.is_some_and(|known| known.auth.host().as_str() == destination.host()) {
                node.fault(
                    "this is the auth host, which serves no application",
                    "choose another host",
                );
            }
            let transfer = organization.and_then(|known| known.transfer_host.as_ref());
            if transfer.is_some_and(|host| host.as_str() == destination.host()) {
                node.fault(
                    "this is the transfer host, which serves no application",
                    "choose another host",
                );
            }
            if upstreams
                .is_some_and(|upstreams| !upstreams.iter().any(|upstream| serves(upstream, destination)))
            {
                node.warn(
                    format!("no upstream serves {destination}: allowed requests would be answered 502"),
                    format!("add [[upstreams]] with hostname = \"{}\"", destination.host()),
                );
            }
        }
    }
}

/// Finds upstreams that cover the same addresses.
pub(super) fn check_upstreams(upstreams: &[(Upstream, Node<'_>)]) {
    for (index, (upstream, node)) in upstreams.iter().enumerate() {
        let earlier = upstreams.iter().take(index);
        if earlier
            .into_iter()
            .any(|(other, _)| other.covers == upstream.covers)
        {
            node.fault(
                format!("another upstream serves {} already", upstream.covers),
                "keep one of the two",
            );
        }
    }
}

/// Whether some request to the destination reaches the upstream.
fn serves(upstream: &Upstream, destination: &Destination) -> bool {
    if !hosts_meet(upstream.covers.host(), destination.host()) {
        return false;
    }
    // A path below the other meets it; wildcards in paths are given the benefit of the doubt.
    let (covers, wanted) = (upstream.covers.path(), destination.path());
    covers.starts_with(wanted) || wanted.starts_with(covers) || covers.contains('*') || wanted.contains('*')
}

/// Whether some host is of both patterns. A `*` is part of the first label.
pub(super) fn hosts_meet(one: &str, other: &str) -> bool {
    let split = |host| str::split_once(host, '.').unwrap_or((host, ""));
    let ((one, one_rest), (other, other_rest)) = (split(one), split(other));
    if one_rest != other_rest {
        return false;
    }
    match (one.split_once('*'), other.split_once('*')) {
        (None, None) => one == other,
        (Some(pattern), None) => matches(pattern, other),
        (None, Some(pattern)) => matches(pattern, one),
        // Two wildcards meet where one start continues the other, and so the ends.
        (Some((a, b)), Some((x, y))) => {
            (a.starts_with(x) || x.starts_with(a)) && (b.ends_with(y) || y.ends_with(b))
        }
    }
}

fn matches((start, end): (&str, &str), label: &str) -> bool {
    label.len() > start.len() + end.len() && label.starts_with(start) && label.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_meet_as_they_are_routed() {
        for (one, other, meet) in [
            ("wiki.example.com", "wiki.example.com", true),
            ("wiki.example.com", "*.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("*test.example.com", "alphatest.example.com", true),
            ("*test.example.com", "alpha.example.com", false),
            ("a.wiki.example.com", "*.example.com", false),
            ("example.com", "*.example.com", false),
            ("a*.example.com", "b*.example.com", false),
        ] {
            assert_eq!(hosts_meet(one, other), meet, "{one} {other}");
            assert_eq!(hosts_meet(other, one), meet, "{other} {one}");
        }
    }
}
