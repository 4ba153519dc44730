//! Rules that ask for what nobody here tells: they are unknown, which is seldom meant.

use serde_json::Value;

use super::declared::{Declaration, Declarations, DeclaredKind};
use super::geo::GeoConfig;
use super::listen::Listen;
use super::tree::Reader;

/// What some rules need to be told.
struct Source {
    selectors: &'static [&'static str],
    missing: bool,
    reason: &'static str,
    mend: &'static str,
}

/// Warns of policies and access groups with rules whose source is missing.
pub(super) fn check(reader: &Reader<'_>, declarations: &Declarations, geo: &GeoConfig, listen: &Listen) {
    let sources = [
        Source {
            selectors: &["geo"],
            missing: *geo == GeoConfig::None,
            reason: "it asks for the country, which nobody tells: the rule is unknown and lets nobody in",
            mend: "write [geo] with database or country_header",
        },
        Source {
            selectors: &["certificate", "common_name"],
            missing: listen.https.is_none(),
            reason: "it asks for client certificates, which take TLS that ends here: the rule is unknown and lets nobody in",
            mend: "write https with certificates in [listen]",
        },
        Source {
            selectors: &["certificate", "common_name"],
            missing: listen.https.is_some() && declarations.count(DeclaredKind::Certificate) == 0,
            reason: "it asks for client certificates, and no authority for them is declared: the rule is unknown and lets nobody in",
            mend: "write [[certificates]] with certificate and associated_hostnames",
        },
    ];
    for declaration in &declarations.objects {
        for source in sources.iter().filter(|source| source.missing) {
            if asks(declaration, source.selectors) {
                reader.warn_on_line(declaration.line, &declaration.name, source.reason, source.mend);
            }
        }
    }
}

fn asks(declaration: &Declaration, selectors: &[&str]) -> bool {
    let has_rules = matches!(declaration.key.kind, DeclaredKind::Policy | DeclaredKind::Group);
    let lists = ["include", "require", "exclude"].into_iter();
    let lists = lists.filter_map(|list| declaration.body.get(list).and_then(Value::as_array));
    let mut rules = lists.flatten().filter_map(Value::as_object);
    has_rules && rules.any(|rule| rule.keys().any(|selector| selectors.contains(&selector.as_str())))
}
