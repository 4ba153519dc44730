//! One way of telling for each provider, and what the operator sees of it.

use vestibule::config;

use super::read_with;
use crate::scim::EVERYTHING;
use crate::support::wire::Dial;
use crate::support::world::World;

#[tokio::test]
async fn a_directory_tells_by_scim_or_is_read_and_not_both() {
    let world = World::start().await;
    let text = std::fs::read_to_string(world.file()).unwrap();
    let with = |sync: &str| {
        let marker = "azure_cloud = \"mock\"\n";
        let lines = format!(
            "{marker}[identity_providers.scim_config]\nenabled = true\n[identity_providers.directory_sync]\n{sync}"
        );
        let file = world.file().with_extension("other.toml");
        std::fs::write(&file, text.replace(marker, &lines)).unwrap();
        config::load(&file, &|_| None).map(drop)
    };
    let faults = with("interval = \"5m\"\n").unwrap_err().to_string();
    assert!(faults.contains("by SCIM already"), "{faults}");
    assert!(with("enabled = false\n").is_ok());
    let faults = with("enabled = false\ninterval = \"30s\"\n")
        .unwrap_err()
        .to_string();
    assert!(faults.contains("one minute to 24 hours"), "{faults}");
    // Every pause between two rounds would be told of.
    for sync in [
        "enabled = false\ninterval = \"24h\"\nsilence_alarm = \"61m\"\n",
        "enabled = false\nsilence_alarm = \"5m\"\n",
    ] {
        let faults = with(sync).unwrap_err().to_string();
        assert!(
            faults.contains("directory_sync.silence_alarm") && faults.contains("interval"),
            "{faults}"
        );
    }
    for sync in [
        "silence_alarm = \"0s\"\n",
        "interval = \"30m\"\nsilence_alarm = \"61m\"\n",
    ] {
        assert!(with(&format!("enabled = false\n{sync}")).is_ok(), "{sync}");
    }
}

#[tokio::test]
async fn what_is_counted_is_told_to_prometheus() {
    let world = read_with(EVERYTHING)
        .listen("internal = \"127.0.0.1:0\"")
        .start()
        .await;
    super::grant(&world);
    super::sync(&world).await;
    let address = world.running().internal.unwrap();
    let mut wire = Dial::plain(address).connect("metrics").await;
    wire.send(b"GET /metrics HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n")
        .await;
    let text = wire.reply().await.unwrap().text();
    for line in [
        "vestibule_directory_sync_rounds_total{provider=\"Entra ID\",result=\"success\"} 1",
        "vestibule_directory_sync_objects{provider=\"Entra ID\",kind=\"people\"} 3",
        "vestibule_directory_sync_objects{provider=\"Entra ID\",kind=\"groups\"} 2",
        "vestibule_directory_sync_last_success_timestamp_seconds{provider=\"Entra ID\"}",
        "vestibule_graph_requests_total{operation=\"users_delta\",code=\"200\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
