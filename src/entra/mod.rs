//! Microsoft Entra ID as a relying party sees it.
