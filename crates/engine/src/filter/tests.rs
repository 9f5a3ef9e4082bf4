//! What filters must hide, and what they must not.

use super::*;
use femtosnitch_model::{Sha256, Unhashed, Witness};

const FAR: &str = "203.0.113.9";
const DNS: NameSource = NameSource::own(Witness::Dns);

fn subject() -> Subject<'static> {
    Subject {
        kind: FlowKind::First,
        exe: "/usr/bin/curl",
        digest: Digest::Known(Sha256([1; 32])),
        domain: "org.example.www",
        source: DNS,
        raddr: FAR.parse().ok(),
        ports: [40_000, 443],
        family: FlowKey::AF_INET,
        protocol: FlowKey::TCP,
        container: "",
        uid: 1000,
    }
}

fn ignore(ignore: Lists) -> Filters {
    Filters::new(ignore, Lists::default())
}

fn only(only: Lists) -> Filters {
    Filters::new(Lists::default(), only)
}

fn hides(filters: &Filters, subject: Subject<'_>) -> bool {
    matches!(filters.judge(&subject), Verdict::Hide(_))
}

fn ports(ports: &[u16]) -> Lists {
    Lists { ports: ports.to_vec(), ..Lists::default() }
}

fn domains(domains: &[&str]) -> Lists {
    Lists { domains: domains.iter().map(|it| (*it).to_owned()).collect(), ..Lists::default() }
}

fn subnets(nets: &[&str]) -> Lists {
    let subnets = nets.iter().map(|net| net.parse().unwrap()).collect();
    Lists { subnets, ..Lists::default() }
}

fn sha256(byte: u8) -> Lists {
    Lists { sha256: vec![Sha256([byte; 32])], ..Lists::default() }
}

fn exes(patterns: &[&str]) -> Lists {
    let exes = patterns.iter().map(|it| Glob::new(it).unwrap()).collect();
    Lists { exes, ..Lists::default() }
}

fn user(uid: u32) -> Lists {
    Lists { users: vec![UserRule { uid, text: "somebody".to_owned() }], ..Lists::default() }
}

#[test]
fn without_rules_everything_is_recorded() {
    assert_eq!(Filters::default().judge(&subject()), Verdict::Record);
}

#[test]
fn only_the_remote_address_counts() {
    let lan = ignore(subnets(&["192.168.0.0/16", "fe80::/10"]));
    let to = |raddr: &str| Subject { raddr: raddr.parse().ok(), ..subject() };
    assert!(hides(&lan, to("192.168.1.9")) && hides(&lan, to("::ffff:192.168.1.9")));
    assert!(!hides(&lan, to(FAR)));
    assert!(!hides(&lan, Subject { raddr: None, ..subject() }));
    let kept = only(subnets(&["192.168.0.0/16"]));
    assert!(hides(&kept, to(FAR)) && !hides(&kept, to("192.168.1.9")));
    assert!(!hides(&kept, Subject { raddr: None, ..subject() }), "unknown hides nothing");
}

#[test]
fn ports_match_on_either_side_and_zero_never() {
    let mdns = ignore(ports(&[5353]));
    assert!(hides(&mdns, Subject { ports: [5353, 1], ..subject() }));
    assert!(hides(&mdns, Subject { ports: [1, 5353], ..subject() }));
    assert!(!hides(&ignore(ports(&[0])), Subject { ports: [0, 0], ..subject() }));
    // A connection is seen before it has its port.
    let early = Subject { ports: [0, 443], ..subject() };
    assert_eq!(mdns.judge(&early), Verdict::Open);
    assert_eq!(only(ports(&[5353])).judge(&early), Verdict::Open);
    let icmp = Subject { ports: [0, 0], protocol: FlowKey::ICMP, ..subject() };
    assert_eq!(mdns.judge(&icmp), Verdict::Record);
    assert!(hides(&only(ports(&[5353])), icmp), "it has no port");
}

#[test]
fn a_name_that_somebody_made_up_hides_nothing() {
    let rules = ignore(domains(&["example.org"]));
    assert!(hides(&rules, subject()));
    assert!(!hides(&rules, Subject { domain: "org.notexample", ..subject() }));
    for source in NameSource::all().filter(|source| source.is_claim()) {
        assert_eq!(rules.judge(&Subject { source, ..subject() }), Verdict::Open, "{source}");
        let elsewhere = only(domains(&["example.net"]));
        assert_eq!(elsewhere.judge(&Subject { source, ..subject() }), Verdict::Open, "{source}");
    }
    let claimed = Subject { source: NameSource::own(Witness::Tls), ..subject() };
    assert_eq!(only(domains(&["example.org"])).judge(&claimed), Verdict::Record);
    assert!(hides(&only(domains(&["example.net"])), subject()));
    let nameless = Subject { domain: "", source: NameSource::NONE, ..subject() };
    assert_eq!(only(domains(&["example.net"])).judge(&nameless), Verdict::Open);
    assert_eq!(rules.judge(&nameless), Verdict::Open);
}

#[test]
fn a_digest_that_is_on_its_way_is_waited_for() {
    let with = |digest| Subject { digest, ..subject() };
    for rules in [ignore(sha256(2)), only(sha256(1))] {
        assert_eq!(rules.judge(&with(Digest::Pending)), Verdict::Wait);
        assert_eq!(rules.judge(&with(Digest::Known(Sha256([1; 32])))), Verdict::Record);
        assert!(hides(&rules, with(Digest::Known(Sha256([2; 32])))));
        assert_eq!(rules.judge(&with(Digest::Missing(Unhashed::Gone))), Verdict::Open);
    }
    assert!(hides(&only(sha256(1)), with(Digest::Missing(Unhashed::Kernel))));
}

#[test]
fn executables_are_chosen_by_their_path() {
    let runs = |exe| Subject { exe, ..subject() };
    assert!(hides(&ignore(exes(&["/usr/bin/*"])), subject()));
    assert!(!hides(&ignore(exes(&["/opt/**"])), subject()));
    let opt = only(exes(&["/opt/**"]));
    assert!(hides(&opt, subject()) && hides(&opt, runs("(kernel)")));
    assert!(!hides(&opt, runs("/opt/x/y")));
    for unknown in ["(unknown)", "(overflow)", "…/bin/x"] {
        assert_eq!(opt.judge(&runs(unknown)), Verdict::Open);
        assert_eq!(ignore(exes(&["**"])).judge(&runs(unknown)), Verdict::Open);
    }
}

#[test]
fn users_and_containers_are_chosen() {
    assert!(hides(&ignore(user(1000)), subject()));
    assert!(hides(&only(user(0)), subject()) && !hides(&only(user(1000)), subject()));
    let everybody = Subject { kind: FlowKind::CatchAll, uid: 0, exe: "(overflow)", ..subject() };
    assert!(!hides(&ignore(user(0)), everybody), "of all users, not root's");
    let id = "3f4c8a1b2d5e6f708192";
    let rule = || vec![ContainerRule::new("3f4c8a1b2d5e").unwrap()];
    let container = Lists { containers: rule(), ..Lists::default() };
    assert!(!hides(&ignore(container.clone()), subject()));
    assert!(hides(&ignore(container.clone()), Subject { container: id, ..subject() }));
    assert!(hides(&only(container), subject()));
}

#[test]
fn protocols_are_chosen() {
    let udp = Lists { protocols: vec![Protocol::Number(FlowKey::UDP)], ..Lists::default() };
    assert!(!hides(&ignore(udp.clone()), subject()) && hides(&only(udp.clone()), subject()));
    let overflow = Subject { family: 0, protocol: 0, ..subject() };
    assert!(!hides(&only(udp), overflow));
}

#[test]
fn every_list_of_only_has_to_match() {
    let both = Lists { users: user(1000).users, ..ports(&[443]) };
    assert!(!hides(&only(both.clone()), subject()));
    assert!(hides(&only(both.clone()), Subject { uid: 0, ..subject() }));
    assert!(hides(&only(both), Subject { ports: [1, 80], ..subject() }));
    // What is ignored stays so.
    let filters = Filters::new(ports(&[443]), user(1000));
    assert!(hides(&filters, subject()));
}

#[test]
fn a_rule_is_named_as_it_was_written() {
    let filters = ignore(ports(&[53, 443]));
    let Verdict::Hide(rule) = filters.judge(&subject()) else { panic!("recorded") };
    assert_eq!(&*filters.text(rule), "ignore.ports 443");
    let Verdict::Hide(rule) = only(user(0)).judge(&subject()) else { panic!("recorded") };
    assert_eq!(&*only(user(0)).text(rule), "not in [only]");
    let one = Lists { exes: exes(&["**"]).exes, ..user(0) };
    assert_eq!(one.text(Kind::Exes, 0), "ignore.exes **");
    assert_eq!(one.text(Kind::Users, 0), "ignore.users somebody");
    assert_eq!(one.text(Kind::Users, 7), "ignore.users ", "no panic");
}
