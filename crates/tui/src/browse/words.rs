//! What dimensions are called, which are offered first, and what is asked next: as in the
//! dashboard (web/src/lib/filters.ts, dimensions.ts; tested against these).

use femtosnitch_store::Dimension;

/// Dimensions by what people look for, the common ones first.
pub(crate) const GROUPS: &[(&str, &[Dimension])] = &[
    (
        "Who",
        &[
            Dimension::Exe,
            Dimension::Name,
            Dimension::Cmdline,
            Dimension::User,
            Dimension::Unit,
            Dimension::App,
            Dimension::Script,
            Dimension::Pid,
        ],
    ),
    (
        "Whom",
        &[
            Dimension::Domain,
            Dimension::Raddr,
            Dimension::Country,
            Dimension::Asn,
            Dimension::Org,
            Dimension::Rport,
        ],
    ),
    (
        "How",
        &[
            Dimension::Protocol,
            Dimension::Direction,
            Dimension::Outcome,
            Dimension::Family,
            Dimension::Lport,
            Dimension::Laddr,
            Dimension::Namesource,
        ],
    ),
    (
        "Where it ran",
        &[
            Dimension::Ctname,
            Dimension::Image,
            Dimension::Container,
            Dimension::Pod,
            Dimension::Netns,
            Dimension::Login,
            Dimension::Uid,
        ],
    ),
    ("What it is", &[Dimension::Package, Dimension::State, Dimension::Sha256]),
    (
        "Launched by",
        &[
            Dimension::Pexe,
            Dimension::Pname,
            Dimension::Pcmdline,
            Dimension::Psha256,
            Dimension::Gpexe,
            Dimension::Gpname,
            Dimension::Gpcmdline,
            Dimension::Gpsha256,
        ],
    ),
    ("When", &[Dimension::Minute, Dimension::Hour, Dimension::Day]),
];

/// What a dimension is called.
pub(crate) fn title(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Exe => "Program",
        Dimension::Name => "Process name",
        Dimension::Cmdline => "Command line",
        Dimension::Sha256 => "Digest",
        Dimension::Pexe => "Launched by",
        Dimension::Pname => "Launcher’s name",
        Dimension::Pcmdline => "Launcher’s command line",
        Dimension::Psha256 => "Launcher’s digest",
        Dimension::Gpexe => "Launcher’s launcher",
        Dimension::Gpname => "… its name",
        Dimension::Gpcmdline => "… its command line",
        Dimension::Gpsha256 => "… its digest",
        Dimension::Uid => "User id",
        Dimension::User => "User",
        Dimension::Container => "Container id",
        Dimension::Ctname => "Container",
        Dimension::Image => "Image",
        Dimension::Pod => "Pod",
        Dimension::Unit => "Unit",
        Dimension::App => "Application",
        Dimension::Login => "Login",
        Dimension::Script => "Script",
        Dimension::Package => "Package",
        Dimension::State => "Package state",
        Dimension::Domain => "Domain",
        Dimension::Namesource => "Name learned by",
        Dimension::Raddr => "Remote address",
        Dimension::Rport => "Remote port",
        Dimension::Country => "Country",
        Dimension::Asn => "Network (AS)",
        Dimension::Org => "Network operator",
        Dimension::Laddr => "Local address",
        Dimension::Lport => "Local port",
        Dimension::Protocol => "Protocol",
        Dimension::Family => "Address family",
        Dimension::Netns => "Network namespace",
        Dimension::Pid => "Process id",
        Dimension::Direction => "Direction",
        Dimension::Outcome => "Outcome",
        Dimension::Minute => "Minute",
        Dimension::Hour => "Hour",
        Dimension::Day => "Day",
    }
}

/// What a dimension is called on a terminal that may show ASCII alone.
pub(crate) fn title_in(dimension: Dimension, ascii: bool) -> &'static str {
    match dimension {
        Dimension::Pname if ascii => "Launcher's name",
        Dimension::Pcmdline if ascii => "Launcher's command line",
        Dimension::Psha256 if ascii => "Launcher's digest",
        Dimension::Gpexe if ascii => "Launcher's launcher",
        Dimension::Gpname if ascii => "... its name",
        Dimension::Gpcmdline if ascii => "... its command line",
        Dimension::Gpsha256 if ascii => "... its digest",
        _ => title(dimension),
    }
}

/// The next question to ask about a value: of a program whom it talks to, of a host who does.
pub(crate) fn next(dimension: Dimension) -> Dimension {
    match dimension {
        Dimension::Exe | Dimension::Name | Dimension::Cmdline | Dimension::Country => {
            Dimension::Domain
        }
        Dimension::Asn | Dimension::Org => Dimension::Domain,
        _ => Dimension::Exe,
    }
}

/// Whether a value of it has a page of its own.
pub(crate) fn has_page(dimension: Dimension) -> bool {
    matches!(
        dimension,
        Dimension::Exe
            | Dimension::Raddr
            | Dimension::Domain
            | Dimension::Container
            | Dimension::Ctname
    )
}

/// Whether its values are paths, of which the last part tells most.
pub(crate) fn is_path(dimension: Dimension) -> bool {
    matches!(dimension, Dimension::Exe | Dimension::Pexe | Dimension::Gpexe | Dimension::Script)
}

/// Sides from which a thing is shown on its page.
pub(crate) fn sides(dimension: Dimension) -> Vec<Dimension> {
    let all: &[Dimension] = match dimension {
        Dimension::Exe => &[
            Dimension::Domain,
            Dimension::Raddr,
            Dimension::Country,
            Dimension::Rport,
            Dimension::User,
            Dimension::Ctname,
        ],
        Dimension::Container | Dimension::Ctname => &[
            Dimension::Exe,
            Dimension::Domain,
            Dimension::Raddr,
            Dimension::Country,
            Dimension::Rport,
            Dimension::Image,
        ],
        Dimension::Raddr => &[
            Dimension::Exe,
            Dimension::Domain,
            Dimension::Rport,
            Dimension::User,
            Dimension::Country,
            Dimension::Org,
        ],
        _ => &[
            Dimension::Exe,
            Dimension::Raddr,
            Dimension::Rport,
            Dimension::User,
            Dimension::Country,
            Dimension::Org,
        ],
    };
    all.to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::keys::Action;
    use super::super::keys::KEYS;
    use super::*;

    const FILTERS: &str = include_str!("../../../../web/src/lib/filters.ts");
    const DIMENSIONS: &str = include_str!("../../../../web/src/lib/dimensions.ts");

    #[test]
    fn the_dashboard_calls_them_the_same() {
        for dimension in Dimension::all() {
            let line = format!("\n  {dimension}: '{}',", title(dimension));
            assert!(FILTERS.contains(&line), "{line}");
        }
    }

    #[test]
    fn what_comes_next_is_what_the_dashboard_asks() {
        let (_, table) = DIMENSIONS.split_once("const NEXT").unwrap();
        let (table, _) = table.split_once("};").unwrap();
        for dimension in Dimension::all() {
            let found = table.split_once(&format!(" {dimension}: '"));
            let (_, rest) = found.unwrap_or(("", "exe'"));
            assert!(rest.starts_with(&format!("{}'", next(dimension))), "{dimension}: {rest}");
        }
    }

    #[test]
    fn what_the_dashboard_offers_first_has_a_key() {
        let (_, common) = DIMENSIONS.split_once("COMMON = [").unwrap();
        let (common, _) = common.split_once(']').unwrap();
        let common = common.split(", ").map(|it| it.trim_matches('\'').parse().unwrap());
        let keys: Vec<Action> = KEYS.0.iter().map(|it| it.action).collect();
        for dimension in common {
            assert!(keys.contains(&Action::By(dimension)), "{dimension}");
        }
    }

    #[test]
    fn every_dimension_is_offered_once() {
        let mut offered: Vec<_> = GROUPS.iter().flat_map(|(_, list)| list.iter()).collect();
        assert_eq!(offered.len(), Dimension::all().count());
        offered.sort_by_key(|dimension| **dimension as usize);
        offered.dedup();
        assert_eq!(offered.len(), Dimension::all().count());
    }
}
