//! All scenarios, one module per family.

mod bad;
mod bounds;
mod cgroups;
mod changes;
mod connections;
mod container;
mod dashboard;
mod disk;
mod download;
mod export;
mod geoip;
mod identity;
mod ignore;
mod import;
mod kernel;
mod life;
mod lineage;
mod live;
mod mounted;
mod names;
mod places;
mod privacy;
mod programs;
mod reload;
mod retention;
mod scripts;
mod spaces;
mod sudo;
mod top;
pub(crate) mod traffic;
mod tui;
mod verifier;
mod what;
mod xdp;

use crate::runner::About;
use crate::runner::Scenario;

macro_rules! scenarios {
    ($($about:ident $name:literal: $run:path,)*) => {
        &[$(Scenario { name: $name, about: About::$about, run: $run },)*]
    };
}

/// Every scenario but the kinds of traffic, which share a daemon (see [`traffic`]). What each could
/// find wrong stands before its name: see [`About`].
pub(crate) const ALL: &[Scenario] = scenarios![
    Kernel "curl-loopback": download::over_loopback,
    Kernel "curl-veth": download::over_veth,
    Kernel "thousand-shortlived": lineage::thousand_shortlived,
    Kernel "short-child-of-a-shell": lineage::short_child,
    Kernel "orphaned-grandchild": lineage::orphaned_grandchild,
    Kernel "namespaces": spaces::traffic_inside,
    Kernel "container": container::traffic_inside,
    User "dashboard": dashboard::adds_up,
    User "tui-program-to-peer": tui::from_a_program_to_a_peer,
    User "tui-filters": tui::filters_and_an_absent_history,
    User "tui-hostile-names": tui::hostile_names,
    User "dashboard-of-a-user": sudo::dashboard,
    Kernel "kernel-sockets": kernel::sockets,
    Kernel "tunnel": kernel::tunnel,
    Kernel "older-connection": life::older_connection,
    Kernel "older-without-leader": life::older_without_leader,
    Kernel "sigterm-loses-nothing": life::sigterm_loses_nothing,
    Kernel "kill-9": life::kill_9,
    User "gaps": life::gaps,
    User "second-instance": life::second_instance,
    User "sighup": life::sighup,
    User "import": import::beside_our_own,
    Kernel "clock-step": life::clock_step,
    Kernel "many-flows": bounds::many_flows,
    Kernel "many-processes": bounds::many_processes,
    Kernel "greedy-user": bounds::greedy_user,
    Kernel "many-peers": bounds::many_peers,
    Kernel "port-scan": connections::port_scan,
    Kernel "xdp": xdp::sender,
    Kernel "xdp-older": xdp::older,
    Kernel "xdp-silent": xdp::silent,
    Kernel "senders-found-out": connections::senders_found_out,
    Kernel "splices-found-out": connections::splices_found_out,
    Kernel "splices-at-the-end": connections::splices_at_the_end,
    User "broken-config": bad::broken_config,
    User "corrupt-database": bad::corrupt_database,
    Kernel "missing-capability": bad::missing_capability,
    Kernel "no-btf": bad::no_type_information,
    Kernel "no-proc": bad::no_proc,
    User "unreadable-config": bad::unreadable_config,
    User "full-disk": disk::full,
    Kernel "identity-short-lived": identity::short_lived,
    Kernel "identity-overwritten": identity::overwritten,
    Kernel "identity-replaced": identity::replaced,
    Kernel "identity-overlay": identity::overlay,
    Kernel "identity-memory": identity::memory,
    Kernel "identity-descriptor": identity::descriptor,
    Kernel "identity-inode-used-again": identity::used_again,
    Kernel "identity-subvolumes": identity::subvolumes,
    Kernel "identity-bind-mount": identity::bind_mount,
    Kernel "identity-hard-link": identity::hard_link,
    Kernel "identity-renamed": identity::renamed,
    Kernel "identity-mount-namespace": identity::mount_namespace,
    Kernel "identity-steady-state": identity::steady_state,
    Kernel "identity-hostile-names": identity::hostile_names,
    User "identity-hostile-csv": identity::hostile_csv,
    User "identity-hostile-json": identity::hostile_json,
    Kernel "identity-long-paths": identity::long_paths,
    Kernel "identity-fuse": identity::of_a_user,
    Kernel "identity-fuse-silent": identity::silent,
    Kernel "identity-fuse-silent-shared": identity::silent_shared,
    Kernel "identity-chain-of-six": lineage::chain_of_six,
    Kernel "places-unit": places::unit,
    Kernel "places-legacy-unit": places::legacy_unit,
    User "places-lookalike": places::lookalike,
    User "places-container": container::in_a_service,
    User "what-package-copied": what::copied,
    User "what-package-modified": what::modified,
    User "what-package-modified-gone": what::modified_and_gone,
    User "what-set-uid": what::set_uid,
    User "what-capabilities": what::capabilities,
    User "what-build-id": what::build_id,
    Kernel "what-script": scripts::files,
    User "what-script-inline": scripts::inline,
    User "what-script-replaced": scripts::replaced,
    User "changes-modified": changes::modified,
    User "changes-upgraded": changes::upgraded,
    User "live-flows": live::flows,
    User "live-facts": live::facts,
    User "slow-reader": live::slow_reader,
    User "top-download": top::download,
    User "top-restarted": top::restarted,
    User "top-given-back": top::given_back,
    Kernel "status-json": live::status,
    Kernel "verifier-work": verifier::work,
    Kernel "names-loopback": names::loopback,
    Kernel "names-curl": names::curl,
    Kernel "names-hosts-file": names::hosts_file,
    Kernel "names-static": names::static_program,
    Kernel "names-musl": names::musl,
    Kernel "names-container": names::container,
    Kernel "names-unmounted": names::unmounted,
    Kernel "names-calls": names::calls,
    Kernel "names-batch": names::batch,
    Kernel "names-over-tcp": names::over_tcp,
    User "names-alias": names::alias,
    User "names-hints": names::hints,
    User "names-two": names::two_names,
    User "names-neighbours": names::neighbours,
    Kernel "names-tls": names::tls,
    Kernel "names-tls-in-two": names::tls_in_two,
    Kernel "names-tls-curl": names::tls_by_curl,
    Kernel "names-quic": names::quic,
    User "names-other-resolver": names::other_resolver,
    User "names-own-network": names::own_network,
    User "names-owners-word": names::owners_word,
    Kernel "names-mdns": names::mdns,
    User "names-nameless": names::nameless,
    User "names-off": names::off,
    User "geoip-replaced": geoip::replaced,
    User "geoip-without": geoip::without,
    User "ignore-ports": ignore::ports,
    User "ignore-subnets": ignore::subnets,
    User "ignore-own-network": ignore::own_network,
    User "ignore-kinds": ignore::kinds,
    User "ignore-domains": ignore::domains,
    User "only": ignore::only,
    User "privacy-addresses": privacy::addresses,
    User "privacy-command-lines": privacy::command_lines,
    User "privacy-secrets": privacy::secrets,
    User "reload-under-traffic": reload::under_traffic,
    User "reload-refused": reload::refused,
    User "reload-intervals": reload::intervals,
    User "reload-nobody": reload::nobody_to_ask,
    User "retention": retention::by_age,
    User "ignore-sha256": ignore::sha256,
    User "export": export::adds_up,
    User "log-changes": export::log_changes,
    User "log-full-disk": export::log_on_a_full_disk,
];
