//! `[organization]`: who the gateway belongs to.

use crate::model::duration::GoDuration;
use crate::model::ids::AccountId;
use crate::model::organization::AuthUrl;

/// The organization as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationConfig {
    /// Its name on the pages.
    pub name: String,
    /// Where the auth host is.
    pub auth: AuthUrl,
    /// The account in API paths; generated once where absent.
    pub account_id: Option<AccountId>,
    /// How long an organization session lives.
    pub session_duration: GoDuration,
    /// Whether signing out also signs out at the identity provider.
    pub sign_out_at_provider: bool,
}
