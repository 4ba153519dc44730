//! From the text of a file to what it means, or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::Path;

use toml::de::DeTable;

use super::declared::{Declarations, DeclaredKind};
use super::faults::{Fault, Faults};
use super::names::Names;
use super::organization::OrganizationConfig;
use super::rules::Scope;
use super::tree::{Keys, Node, Reader, Table};
use super::{
    Config, api_tokens, applications, authorities, certificate_rules, clouds, cross, custom_pages, geo,
    groups, listen, lists, log, master_key, organization, outbound, policies, providers, refusals,
    service_tokens, smtp, sources, store, upstreams,
};
use crate::model::idp::Cloud;
use crate::model::refusals::Refusals;
use crate::model::selector::Unevaluated;
use crate::model::upstream::Upstream;

/// What a configuration may ask of its surroundings.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// A variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The bytes of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// The process's environment, from which a configuration takes what it names and nothing else.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
    std::env::var(name).ok()
}

pub(super) const KEYS: Keys = Keys {
    known: &[
        "organization",
        "listen",
        "store",
        "secrets",
        "refusals",
        "smtp",
        "log",
        "geo",
        "outbound",
        "clouds",
        "upstreams",
        "identity_providers",
        "service_tokens",
        "api_tokens",
        "lists",
        "groups",
        "custom_pages",
        "policies",
        "applications",
        "certificates",
    ],
    refused: &[(
        "forward_auth",
        "forward-auth is a listener: it stands in [listen]",
    )],
};

/// Reads a configuration file. `env` is asked for the variables that the file names, and for no others.
///
/// # Errors
/// Every mistake of the file and of the files it names.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Faults> {
    let file = path.display().to_string();
    let whole = |reason: String, mend: &str| {
        Faults(vec![Fault {
            file: file.clone(),
            line: 1,
            key: String::new(),
            reason,
            mend: mend.to_owned(),
        }])
    };
    let bytes = read_file(path).map_err(|error| {
        whole(
            format!("the file cannot be read: {error}"),
            "name a readable TOML file",
        )
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| whole(format!("the file is no UTF-8 text: {error}"), "save it as UTF-8"))?;
    load_text(
        path,
        &text,
        Surroundings {
            env,
            read: &read_file,
        },
    )
}

/// Reads a configuration that is at hand as text. `path` names it in messages, and its directory is where relative
/// paths start.
///
/// # Errors
/// Every mistake of the text and of the files it names.
pub fn load_text(path: &Path, text: &str, surroundings: Surroundings<'_>) -> Result<Config, Faults> {
    let file = path.display().to_string();
    let mut reader = Reader::new(path, &file, text, surroundings);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        reader.incomplete |= error.message() != DUPLICATE_KEY;
        reader.fault_at(offset, "", error.message(), "correct the TOML");
    }
    let config = meaning(&reader, document.get_ref());
    let (faults, warnings) = reader.findings();
    match config {
        Some(config) if faults.is_empty() => Ok(Config { warnings, ..config }),
        _ => Err(Faults(faults)),
    }
}

/// What the parser says of a key that stands twice: the one such mistake after which the rest is still whole.
const DUPLICATE_KEY: &str = "duplicate key";

/// Larger files are mistakes: the largest organization's objects take a tenth of it.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A regular file up to [`MAX_FILE`]: devices and pipes could answer for ever.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
    }
    Ok(bytes)
}

/// Reads every section before it gives up on any, so that all faults are found.
fn meaning(reader: &Reader<'_>, document: &DeTable<'_>) -> Option<Config> {
    let root = Table::root(reader, document, &KEYS);
    let organization = root
        .need("organization", "write [organization] with name and auth_url")
        .and_then(|node| organization::read(&node));
    let accepted = root
        .node("organization")
        .map_or_else(|| Some(BTreeSet::new()), |node| organization::accepted(&node));
    let auth = organization.as_ref().map(|organization| &organization.auth);
    let listen = root
        .need("listen", "write [listen] with https and certificates, or http")
        .and_then(|node| listen::read(&node, auth));
    let store = root
        .need(
            "store",
            "write [store] with url = \"sqlite:///var/lib/vestibule/vestibule.db\"",
        )
        .and_then(|node| store::read(&node));
    let master_key = root
        .need("secrets", "write [secrets] with master_key = { file = \"…\" }")
        .and_then(|node| master_key::read(&node));
    let refusals = root
        .node("refusals")
        .map_or_else(|| Some(Refusals::default()), |node| refusals::read(&node));
    let smtp = root.node("smtp").map(|node| smtp::read(&node));
    let log = root
        .node("log")
        .map_or_else(|| Some(log::LogConfig::default()), |node| log::read(&node));
    let geo = root
        .node("geo")
        .map_or_else(|| Some(geo::GeoConfig::default()), |node| geo::read(&node));
    if let (Some(geo::GeoConfig::Header(_)), Some(listen), Some(node)) = (&geo, &listen, root.node("geo"))
        && listen.trusted_proxies.is_empty()
    {
        node.warn(
            "no proxy is trusted, so nobody's country_header is believed",
            "name the proxy that sets it in trusted_proxies",
        );
    }
    let outbound = root.node("outbound").map_or_else(
        || Some(outbound::OutboundConfig::default()),
        |node| outbound::read(&node),
    );
    let mut clouds = clouds::builtin();
    let own_clouds = root
        .node("clouds")
        .map_or(Some(()), |node| clouds::read(&node, &mut clouds));
    let upstreams = upstreams(&root);
    // Applications of a proxy that asks are reached by that proxy, and need no upstream here.
    let asked_by_others = listen
        .as_ref()
        .is_some_and(|listen| listen.forward_auth.is_some());
    let served = upstreams.as_deref().filter(|_| !asked_by_others);
    // Where it cannot be read which selectors are taken, nothing is said of rules for being among them.
    let taken = accepted.clone().unwrap_or_else(|| Unevaluated::ALL.into());
    let declarations = declarations(&root, &clouds, (organization.as_ref(), &taken), served);
    if let (Some(declarations), Some(geo), Some(listen)) = (&declarations, &geo, &listen) {
        sources::check(reader, declarations, geo, listen);
    }
    own_clouds?;
    Some(Config {
        organization: OrganizationConfig {
            refusals: refusals?,
            accept_unevaluated_selectors: accepted?,
            ..organization?
        },
        listen: listen?,
        store: store?,
        master_key: master_key?,
        clouds,
        upstreams: upstreams?,
        declarations: declarations?,
        geo: geo?,
        outbound: outbound?,
        smtp: smtp.map_or(Some(None), |smtp| smtp.map(Some))?,
        log: log?,
        warnings: Vec::new(),
    })
}

fn upstreams(root: &Table<'_>) -> Option<Vec<Upstream>> {
    let nodes = root.list("upstreams");
    let read: Vec<(Option<Upstream>, Node<'_>)> = nodes
        .into_iter()
        .map(|node| (upstreams::read(&node), node))
        .collect();
    let complete = read.iter().all(|(upstream, _)| upstream.is_some());
    let found: Vec<(Upstream, Node<'_>)> = read
        .into_iter()
        .filter_map(|(upstream, node)| Some((upstream?, node)))
        .collect();
    cross::check_upstreams(&found);
    complete.then(|| found.into_iter().map(|(upstream, _)| upstream).collect())
}

/// What the tables of a list declare; what could not be read is left out, and the file is not `complete`.
fn section<'r, T>(
    root: &Table<'r>,
    key: &str,
    complete: &mut bool,
    read: impl FnMut(&Node<'r>) -> Option<T>,
) -> Vec<T> {
    let nodes = root.list(key);
    every(nodes.iter().map(read), complete)
}

/// What could be read of it all.
fn every<T>(read: impl Iterator<Item = Option<T>>, complete: &mut bool) -> Vec<T> {
    read.inspect(|one| *complete &= one.is_some()).flatten().collect()
}

/// Everything declared, each section read after what it refers to.
fn declarations(
    root: &Table<'_>,
    clouds: &BTreeMap<String, Cloud>,
    (organization, accepted): (Option<&OrganizationConfig>, &BTreeSet<Unevaluated>),
    upstreams: Option<&[Upstream]>,
) -> Option<Declarations> {
    let mut complete = true;
    let mut provider_names = Names::new(DeclaredKind::IdentityProvider, "identity provider");
    let providers = section(root, "identity_providers", &mut complete, |node| {
        providers::read(node, clouds, &mut provider_names)
    });
    let mut token_names = Names::new(DeclaredKind::ServiceToken, "service token");
    let tokens = section(root, "service_tokens", &mut complete, |node| {
        service_tokens::read(node, &mut token_names)
    });
    let mut api_names = Names::new(DeclaredKind::ApiToken, "API token");
    let api_tokens = section(root, "api_tokens", &mut complete, |node| {
        api_tokens::read(node, &mut api_names)
    });
    let mut page_names = Names::new(DeclaredKind::CustomPage, "custom page");
    let pages = section(root, "custom_pages", &mut complete, |node| {
        custom_pages::read(node, &mut page_names)
    });
    custom_pages::check_organization(root, &page_names, &pages);

    let mut list_names = Names::new(DeclaredKind::List, "list");
    let lists = section(root, "lists", &mut complete, |node| {
        lists::read(node, &mut list_names)
    });

    // Groups may refer to ones that stand below them: first their names, then their rules.
    let mut group_names = Names::new(DeclaredKind::Group, "access group");
    let headings = section(root, "groups", &mut complete, |node| {
        groups::heading(node, &mut group_names)
    });
    let scope = Scope {
        providers: &provider_names,
        pages: &page_names,
        known: &providers,
        lists: &list_names,
        known_lists: &lists,
        service_tokens: &token_names,
        groups: &group_names,
        asking: &groups::Asking::default(),
        accepted,
    };
    let groups = headings.into_iter().map(|heading| groups::read(heading, &scope));
    let groups = every(groups, &mut complete);
    let asking = groups::asking(&groups);
    let scope = Scope {
        asking: &asking,
        ..scope
    };

    let mut policy_names = policies::names();
    let policies = section(root, "policies", &mut complete, |node| {
        policies::read(node, &scope, &mut policy_names)
    });

    let mut authority_names = Names::new(DeclaredKind::Certificate, "certificate authority");
    let authorities = section(root, "certificates", &mut complete, |node| {
        authorities::read(node, &mut authority_names)
    });

    let mut application_names = Names::new(DeclaredKind::Application, "application");
    let applications = section(root, "applications", &mut complete, |node| {
        applications::read(node, &scope, &mut application_names, &mut policy_names)
    });
    cross::check_applications(&applications, organization, upstreams);
    let ruled = groups.iter().map(|group| &group.declaration).chain(&policies);
    certificate_rules::check(&applications, ruled, &authorities);

    let inside = applications.into_iter().flat_map(|application| {
        let policies = application.policies.into_iter();
        policies.chain(std::iter::once(application.declaration))
    });
    let objects = providers
        .into_iter()
        .map(|provider| provider.declaration)
        .chain(lists.into_iter().map(|list| list.declaration))
        .chain(groups.into_iter().map(|group| group.declaration))
        .chain(authorities)
        .chain(tokens)
        .chain(api_tokens)
        .chain(pages)
        .chain(policies)
        .chain(inside)
        .collect();
    complete.then_some(Declarations { objects })
}
