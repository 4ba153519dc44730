//! What rules ask about a request.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::model::address::AddressRange;
use crate::model::certificate::ClientCertificate;
use crate::model::country::CountryCode;
use crate::model::ids::ServiceTokenId;
use crate::model::selector::Selector;

use super::address_set::AddressSet;
use super::answer::{Answer, Outlook};
use super::atoms::Join;
use super::referents::{GroupIndex, Referents, Unresolved};

/// What rules may ask about a request, found out before it is decided on.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Where it comes from; `None` where a trusted proxy vouched for something that is no address, and then rules about
    /// addresses are unknown.
    pub address: Option<IpAddr>,
    /// The country it comes from; `None` where there is no source for it or the source does not know, and then rules
    /// about countries are unknown.
    pub country: Option<CountryCode>,
    /// The client's certificate.
    pub certificate: ClientCertificate,
    /// The service token whose credentials it shows; they are known to be good.
    pub service_token: Option<ServiceTokenId>,
    /// Now, milliseconds since 1970: leave that has been given for a time ends by it.
    pub now_ms: i64,
}

/// Rules about the request, of one list.
#[derive(Debug, Clone)]
pub(super) struct RequestAtoms {
    join: Join,
    /// The union or, where all must hold, what is common to all.
    addresses: Option<AddressSet>,
    address_lists: Vec<Arc<AddressSet>>,
    countries: HashSet<CountryCode>,
    tokens: HashSet<ServiceTokenId>,
    any_token: bool,
    certificate: bool,
    common_names: HashSet<Box<str>>,
    /// The ranges from which `addresses` is made.
    ranges: Vec<AddressRange>,
}

impl RequestAtoms {
    pub(super) fn new(join: Join) -> Self {
        Self {
            join,
            addresses: None,
            address_lists: Vec::new(),
            countries: HashSet::new(),
            tokens: HashSet::new(),
            any_token: false,
            certificate: false,
            common_names: HashSet::new(),
            ranges: Vec::new(),
        }
    }

    /// Takes a rule, if it asks about requests.
    pub(super) fn add(&mut self, rule: &Selector, referents: &Referents) -> Result<bool, Unresolved> {
        match rule {
            Selector::Ip { ip } => self.ranges.push(*ip),
            Selector::IpList { id } => self.address_lists.push(referents.address_list(*id)?),
            Selector::Geo { country_code } => {
                self.countries.insert(*country_code);
            }
            Selector::ServiceToken { token_id } => {
                self.tokens.insert(*token_id);
            }
            Selector::AnyValidServiceToken => self.any_token = true,
            Selector::Certificate => self.certificate = true,
            Selector::CommonName { common_name } => {
                self.common_names.insert(common_name.as_str().into());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes one set of the ranges taken.
    pub(super) fn finish(mut self) -> Self {
        let ranges = std::mem::take(&mut self.ranges);
        if !ranges.is_empty() {
            self.addresses = Some(match self.join {
                Join::Any => AddressSet::union_of(ranges),
                Join::All => AddressSet::common_to(ranges),
            });
        }
        self
    }

    pub(super) fn ask(&self, facts: &RequestFacts) -> Answer {
        let join = self.join;
        let mut answer = join.empty();
        let mut say = |other| answer = join.answers(answer, other);
        let lies_in = |set: &AddressSet| {
            let address = facts.address;
            address.map_or(Answer::Unknown, |address| set.contains(address).into())
        };
        if let Some(addresses) = &self.addresses {
            say(lies_in(addresses));
        }
        for list in &self.address_lists {
            say(lies_in(list));
        }
        if !self.countries.is_empty() {
            let found = facts.country.map(|country| self.countries.contains(&country));
            say(found.map_or(Answer::Unknown, |found| join.one_of(self.countries.len(), found)));
        }
        if !self.tokens.is_empty() {
            let found = facts
                .service_token
                .is_some_and(|token| self.tokens.contains(&token));
            say(join.one_of(self.tokens.len(), found));
        }
        if self.any_token {
            say(facts.service_token.is_some().into());
        }
        if self.certificate {
            say(match &facts.certificate {
                ClientCertificate::Unknown => Answer::Unknown,
                ClientCertificate::Absent => Answer::No,
                ClientCertificate::Verified(_) => Answer::Yes,
            });
        }
        if !self.common_names.is_empty() {
            say(match &facts.certificate {
                ClientCertificate::Unknown => Answer::Unknown,
                ClientCertificate::Absent => Answer::No,
                ClientCertificate::Verified(certificate) => {
                    let name = certificate.common_name.as_deref();
                    let found = name.is_some_and(|name| self.common_names.contains(name));
                    join.one_of(self.common_names.len(), found)
                }
            });
        }
        answer
    }
}

/// What access groups that ask about requests say of this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct LateGroups<'l> {
    /// Ascending.
    pub(super) indices: &'l [GroupIndex],
    /// One each.
    pub(super) answers: &'l [Outlook],
}

impl LateGroups<'_> {
    /// A group that nobody worked out is unknown.
    pub(super) fn of(&self, index: GroupIndex) -> Outlook {
        let place = self.indices.binary_search(&index).ok();
        let answer = place.and_then(|place| self.answers.get(place));
        answer.copied().unwrap_or(Outlook::UNKNOWN)
    }
}
