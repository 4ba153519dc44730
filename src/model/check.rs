//! What a test of an identity provider finds: a checklist, each line good or with what mends it.

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub step: Step,
    /// Which of several: the name of a permission or of a claim.
    pub about: Option<String>,
    /// How it came out.
    pub state: CheckState,
    /// What was found, in a sentence for the operator. Holds no secret.
    pub found: String,
    /// What to do about it.
    pub mend: Option<String>,
    /// How it was found out, step by step, where that helps.
    pub details: Vec<String>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The directory's metadata in the chosen cloud.
    Discovery,
    /// How far Microsoft's clock and ours differ.
    Clock,
    /// Whether the redirect address is registered.
    RedirectAddress,
    /// Whether the secret, certificate or federated token is taken.
    Credential,
    /// When the secret or certificate ends.
    CredentialExpiry,
    /// The sign-in of a person.
    SignIn,
    /// The checks of the ID token.
    IdToken,
    /// The e-mail address and where it was found.
    Email,
    /// Group membership.
    Groups,
    /// A claim that the provider copies into identities.
    Claim,
    /// Authentication contexts of Conditional Access.
    Contexts,
    /// A permission on behalf of people.
    DelegatedPermission,
    /// A permission of the application's own.
    ApplicationPermission,
}

impl Step {
    /// Its word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Clock => "clock",
            Self::RedirectAddress => "redirect_address",
            Self::Credential => "credential",
            Self::CredentialExpiry => "credential_expiry",
            Self::SignIn => "sign_in",
            Self::IdToken => "id_token",
            Self::Email => "email",
            Self::Groups => "groups",
            Self::Claim => "claim",
            Self::Contexts => "authentication_contexts",
            Self::DelegatedPermission => "delegated_permission",
            Self::ApplicationPermission => "application_permission",
        }
    }
}

/// How a line came out. Not knowing is not the same as no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// As it should be.
    Good,
    /// It works, and will not for ever or not for everybody.
    Warning,
    /// It keeps people out, or what the provider is set to do does not happen.
    Bad,
    /// It could not be found out.
    Unknown,
    /// The provider does not ask for it.
    Off,
}

impl CheckState {
    /// Its word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Off => "off",
        }
    }
}

impl Check {
    /// A line.
    pub fn new(step: Step, state: CheckState, found: impl Into<String>) -> Self {
        Self {
            step,
            about: None,
            state,
            found: found.into(),
            mend: None,
            details: Vec::new(),
        }
    }

    /// A line about one of several.
    #[must_use]
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.about = Some(name.into());
        self
    }

    /// With what mends it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// With how it was found out.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}
