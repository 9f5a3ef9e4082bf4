//! Kinds that say so run over a network between two namespaces: needs root and `ip`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::process::Command;

use femtosnitch_testkit::Report;
use femtosnitch_testkit::UNSUPPORTED;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::Side;
use femtosnitch_testkit::traffic::KINDS;
use serde_json::Value;

/// A call of the generator in `left` whose peers are in `right`.
fn traffic(pair: &Pair, kind: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_femtosnitch-testkit"));
    command.args(["traffic", kind, "--tag", "routed", "--bytes", "200000", "--rounds", "5"]);
    command.args(["--peer-netns", &pair.right.name]);
    command.args(["--bind4", &pair.right.v4.to_string(), "--bind6", &pair.right.v6.to_string()]);
    pair.left.enter(&mut command).unwrap();
    command
}

/// Bytes that went over the cable so far, as the interface counts them.
fn over_the_cable(side: &Side) -> u64 {
    let args = ["-n", &side.name, "-s", "-j", "link", "show", "veth0"];
    let said = Command::new("ip").args(args).output().unwrap();
    let links: Value = serde_json::from_slice(&said.stdout).unwrap();
    let count = |way: &str| links[0]["stats64"][way]["bytes"].as_u64().unwrap();
    count("rx") + count("tx")
}

#[test]
fn routed_kinds_cross_the_cable() {
    if std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).ok()
        != Some(0)
        || std::env::var_os("FEMTOSNITCH_SKIP_ROOT").is_some()
    {
        return;
    }
    let pair = Pair::create().unwrap();
    let allow = "echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range";
    let mut sysctl = Command::new("sh");
    sysctl.args(["-c", allow]);
    pair.left.enter(&mut sysctl).unwrap();
    assert!(sysctl.status().unwrap().success());
    let mut wrong = Vec::new();
    for kind in KINDS {
        let before = over_the_cable(&pair.right);
        let output = traffic(&pair, kind.name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let unsupported = output.status.code() == Some(UNSUPPORTED.into());
        if !kind.routed {
            assert!(unsupported, "{} must not run over a network: {said}", kind.name);
            continue;
        }
        if unsupported {
            continue;
        }
        let Ok(report) = serde_json::from_slice::<Report>(&output.stdout) else {
            wrong.push(format!("{}: {said}", kind.name));
            continue;
        };
        let crossed = over_the_cable(&pair.right) - before;
        if crossed < report.sent().max(1) {
            wrong.push(format!("{}: {} sent, {crossed} crossed", kind.name, report.sent()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
