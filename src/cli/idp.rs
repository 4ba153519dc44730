//! `vestibule idp`: identity providers. The gateway does the work; the command makes the link that asks it to.

use std::io;

use clap::Subcommand;

use super::opened::{Said, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::manage::Manage;
use crate::model::ids::IdpId;
use crate::store::{Document, Kind, Store, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum IdpCommand {
    /// Print a link that opens one sign-in at a provider and shows what works; good for ten minutes and once
    Test {
        /// The provider: its name, or its id
        name: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: IdpCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let IdpCommand::Test { name, file } = command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let (manage, store) = opened.into_manage();
    let said = link(&name, &manage, &store).await;
    store.close().await;
    tell(said, terminal)
}

async fn link(name: &str, manage: &Manage, store: &Store) -> Result<Said, StoreError> {
    let is_meant = |document: &&Document| document.name == name || document.id.to_string() == name;
    let providers = store.documents(Kind::IdentityProvider).await?;
    let meant: Vec<&Document> = providers.iter().filter(is_meant).collect();
    Ok(match meant.as_slice() {
        [provider] => {
            let link = manage.test_link(IdpId(provider.id));
            let until = link.expires_at.strftime("%H:%M UTC");
            Said::done(format!(
                "{}\nOpen it in a browser, once, before {until}.\n",
                link.url
            ))
        }
        [] => Said::Unusable(unknown(name, &providers)),
        _ => Said::Unusable(format!(
            "several providers are called \"{name}\": give the id of one"
        )),
    })
}

fn unknown(name: &str, providers: &[Document]) -> String {
    let known: Vec<&str> = providers.iter().map(|provider| provider.name.as_str()).collect();
    if known.is_empty() {
        "there is no identity provider yet: those of the file come with `vestibule serve` or `vestibule apply`"
            .to_owned()
    } else {
        format!(
            "no identity provider is called \"{name}\"; known here: {}",
            known.join(", ")
        )
    }
}
