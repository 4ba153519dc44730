//! A mock tenant, a relying party and the way of a browser between them.

use std::collections::HashMap;

use mock_entra::{AppRegistration, Directory, MockEntra, demo};
use secrecy::SecretString;
use url::Url;
use vestibule::clock::Clock;
use vestibule::entra::outbound::MAX_BODY;
use vestibule::entra::{
    AuthorizationRequest, EntraError, Outbound, Redemption, RelyingParty, SignedIn, pkce,
};
use vestibule::model::idp::{ClientCredential, Cloud, EntraSettings, IdentityProvider};

const CALLBACK: &str = "https://login.example.com/cdn-cgi/access/callback";
pub(super) const NONCE: &str = "n-0S6_WzA2Mj";

pub(super) struct World {
    pub(super) entra: MockEntra,
    pub(super) relying_party: RelyingParty,
    pub(super) clock: Clock,
    pub(super) provider: IdentityProvider,
}

impl World {
    /// The demo's directory and a provider that asks for groups.
    pub(super) async fn start() -> Self {
        Self::with(Directory::demo()).await
    }

    pub(super) async fn with(directory: Directory) -> Self {
        directory.add_redirect_uri(CALLBACK);
        let entra = MockEntra::start(directory).await.unwrap();
        let clock = Clock::system();
        let base: Url = entra.base_url().parse().unwrap();
        let provider = IdentityProvider {
            id: "7335d417-61da-459d-899c-0a01c76a2f94".parse().unwrap(),
            name: "Entra ID".to_owned(),
            scim: None,
            sync: None,
            entra: EntraSettings {
                client_id: demo::CLIENT_ID.to_owned(),
                directory_id: demo::TENANT.parse().unwrap(),
                credential: ClientCredential::Secret {
                    current: demo::CLIENT_SECRET.into(),
                    next: None,
                },
                secret_expires_at: None,
                cloud: Cloud {
                    key: "mock".to_owned(),
                    login: base.clone(),
                    graph: base,
                    instance_name: None,
                    federation_audience: "api://AzureADTokenExchange".to_owned(),
                },
                support_groups: true,
                conditional_access_enabled: false,
                pkce_enabled: true,
                email_claim_name: None,
                claims: Vec::new(),
                prompt: None,
                domain_hint: None,
                scopes: Vec::new(),
                trust_guest_email: false,
                refresh_check: None,
                custom_signing_key: false,
            },
        };
        Self {
            relying_party: RelyingParty::new(Outbound::new().unwrap(), clock.clone()),
            entra,
            clock,
            provider,
        }
    }

    /// Changes the provider's settings.
    pub(super) fn configured(mut self, change: impl FnOnce(&mut EntraSettings)) -> Self {
        change(&mut self.provider.entra);
        self
    }

    /// Changes the app registration.
    pub(super) fn registered(self, change: impl FnOnce(AppRegistration) -> AppRegistration) -> Self {
        self.entra
            .directory()
            .tenant(demo::TENANT)
            .edit_app(demo::CLIENT_ID, change);
        self
    }

    /// The whole login of one person.
    pub(super) async fn sign_in(&self, person: &str) -> Result<SignedIn, EntraError> {
        let redemption = self.authorized(person, |_| ()).await;
        self.relying_party.finish(&self.provider, &redemption).await
    }

    /// A login up to the callback, with a code to redeem.
    pub(super) async fn authorized(
        &self,
        person: &str,
        change: impl FnOnce(&mut AuthorizationRequest),
    ) -> Redemption {
        let (verifier, challenge) = pkce();
        let mut request = request(Some(challenge));
        change(&mut request);
        let callback = self.callback(person, &request).await;
        Redemption {
            code: SecretString::from(callback["code"].clone()),
            redirect_uri: request.redirect_uri,
            nonce: request.nonce,
            pkce_verifier: request.pkce_challenge.map(|_| verifier),
            challenge_answered: false,
        }
    }

    /// What the callback is called with.
    pub(super) async fn callback(
        &self,
        person: &str,
        request: &AuthorizationRequest,
    ) -> HashMap<String, String> {
        let address = self
            .relying_party
            .authorization(&self.provider, request)
            .await
            .unwrap();
        let address = MockEntra::signed_in_as(address.as_str(), person);
        let request = http::Request::get(address).body(Vec::new()).unwrap();
        let answer = Outbound::new().unwrap().send(request, MAX_BODY).await.unwrap();
        let Some(location) = answer.headers().get("location") else {
            panic!(
                "no redirect but status {}: {}",
                answer.status(),
                String::from_utf8_lossy(answer.body())
            )
        };
        let location: Url = location.to_str().unwrap().parse().unwrap();
        assert!(location.as_str().starts_with(CALLBACK), "{location}");
        let callback: HashMap<String, String> = location.query_pairs().into_owned().collect();
        assert_eq!(callback["state"], "st-4f1c9a");
        callback
    }
}

pub(super) fn request(pkce_challenge: Option<String>) -> AuthorizationRequest {
    AuthorizationRequest {
        redirect_uri: CALLBACK.parse().unwrap(),
        state: "st-4f1c9a".to_owned(),
        nonce: NONCE.to_owned(),
        pkce_challenge,
        prompt: None,
        interactive: false,
        login_hint: None,
        claims_challenge: None,
    }
}
