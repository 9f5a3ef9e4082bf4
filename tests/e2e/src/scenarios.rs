//! All scenarios, one module per family.

mod bad;
mod bounds;
mod cgroups;
mod changes;
mod connections;
mod container;
mod disk;
mod download;
mod geoip;
mod identity;
mod ignore;
mod kernel;
mod life;
mod lineage;
mod live;
mod mounted;
mod places;
mod programs;
mod scripts;
mod spaces;
pub(crate) mod traffic;
mod verifier;
mod what;
mod xdp;

use crate::runner::Scenario;

macro_rules! scenarios {
    ($($name:literal: $run:path,)*) => {
        &[$(Scenario { name: $name, run: $run },)*]
    };
}

/// Every scenario but the kinds of traffic, which share a daemon (see [`traffic`]).
pub(crate) const ALL: &[Scenario] = scenarios![
    "curl-loopback": download::over_loopback,
    "curl-veth": download::over_veth,
    "thousand-shortlived": lineage::thousand_shortlived,
    "short-child-of-a-shell": lineage::short_child,
    "orphaned-grandchild": lineage::orphaned_grandchild,
    "namespaces": spaces::traffic_inside,
    "container": container::traffic_inside,
    "kernel-sockets": kernel::sockets,
    "tunnel": kernel::tunnel,
    "older-connection": life::older_connection,
    "older-without-leader": life::older_without_leader,
    "sigterm-loses-nothing": life::sigterm_loses_nothing,
    "kill-9": life::kill_9,
    "gaps": life::gaps,
    "second-instance": life::second_instance,
    "sighup": life::sighup,
    "clock-step": life::clock_step,
    "many-flows": bounds::many_flows,
    "many-processes": bounds::many_processes,
    "greedy-user": bounds::greedy_user,
    "many-peers": bounds::many_peers,
    "port-scan": connections::port_scan,
    "xdp": xdp::sender,
    "xdp-older": xdp::older,
    "xdp-silent": xdp::silent,
    "senders-found-out": connections::senders_found_out,
    "splices-found-out": connections::splices_found_out,
    "splices-at-the-end": connections::splices_at_the_end,
    "broken-config": bad::broken_config,
    "corrupt-database": bad::corrupt_database,
    "missing-capability": bad::missing_capability,
    "no-btf": bad::no_type_information,
    "no-proc": bad::no_proc,
    "unreadable-config": bad::unreadable_config,
    "full-disk": disk::full,
    "identity-short-lived": identity::short_lived,
    "identity-overwritten": identity::overwritten,
    "identity-replaced": identity::replaced,
    "identity-overlay": identity::overlay,
    "identity-memory": identity::memory,
    "identity-descriptor": identity::descriptor,
    "identity-inode-used-again": identity::used_again,
    "identity-subvolumes": identity::subvolumes,
    "identity-bind-mount": identity::bind_mount,
    "identity-hard-link": identity::hard_link,
    "identity-renamed": identity::renamed,
    "identity-mount-namespace": identity::mount_namespace,
    "identity-steady-state": identity::steady_state,
    "identity-hostile-names": identity::hostile_names,
    "identity-hostile-csv": identity::hostile_csv,
    "identity-hostile-json": identity::hostile_json,
    "identity-long-paths": identity::long_paths,
    "identity-fuse": identity::of_a_user,
    "identity-fuse-silent": identity::silent,
    "identity-fuse-silent-shared": identity::silent_shared,
    "identity-chain-of-six": lineage::chain_of_six,
    "places-unit": places::unit,
    "places-legacy-unit": places::legacy_unit,
    "places-lookalike": places::lookalike,
    "places-container": container::in_a_service,
    "what-package-copied": what::copied,
    "what-package-modified": what::modified,
    "what-package-modified-gone": what::modified_and_gone,
    "what-set-uid": what::set_uid,
    "what-capabilities": what::capabilities,
    "what-build-id": what::build_id,
    "what-script": scripts::files,
    "what-script-inline": scripts::inline,
    "what-script-replaced": scripts::replaced,
    "changes-modified": changes::modified,
    "changes-upgraded": changes::upgraded,
    "live-flows": live::flows,
    "live-facts": live::facts,
    "slow-reader": live::slow_reader,
    "status-json": live::status,
    "verifier-work": verifier::work,
    "geoip-replaced": geoip::replaced,
    "geoip-without": geoip::without,
    "ignore-ports": ignore::ports,
    "ignore-subnets": ignore::subnets,
    "ignore-sha256": ignore::sha256,
];
