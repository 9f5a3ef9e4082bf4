//! `[ignore]` and `[only]`, which have the same keys, and `[privacy]`.

use std::path::Path;

use femtosnitch_engine::{ContainerRule, Glob, Lists, Protocol, UserRule};
use femtosnitch_sys::owner;

use super::Privacy;
use super::items::{self, text};
use super::node::Value;
use super::section::{Section, wrong_type};

/// Where names of users are looked up. The system's own, whatever `--root` is.
const PASSWD: &str = "/etc/passwd";

pub(super) fn lists(keys: &mut Section<'_>) -> Lists {
    Lists {
        ports: keys.list("ports", "[53, 5353]", items::port),
        protocols: keys.list("protocols", "[\"udp\"]", protocol),
        subnets: keys.list("subnets", "[\"192.0.2.0/24\"]", items::subnet),
        domains: keys.list("domains", "[\"example.org\"]", items::domain),
        exes: keys.list("exes", "[\"/usr/bin/curl\"]", exe),
        sha256: keys.list("sha256", "[\"<64 hexadecimal digits>\"]", items::sha256),
        containers: keys.list("containers", "[\"3f4c8a1b2d5e\"]", container),
        users: keys.list("users", "[\"alice\", 1000]", user),
    }
}

pub(super) fn privacy(keys: &mut Section<'_>) -> Privacy {
    let default = Privacy::default();
    Privacy {
        addresses: keys.switch("addresses", default.addresses),
        ports: keys.switch("ports", default.ports),
        names: keys.switch("names", default.names),
        cmdlines: keys.switch("cmdlines", default.cmdlines),
        redact: keys.switch("redact", default.redact),
        redact_patterns: keys.list("redact_patterns", "[\"--pin\"]", flag),
    }
}

fn protocol(value: &Value) -> Result<Protocol, String> {
    let unknown = |shown: String| {
        format!(
            "{shown} is not a protocol; write one like \"udp\" or its number, up to {}",
            Protocol::LARGEST
        )
    };
    match value {
        Value::Integer(number) => u16::try_from(*number)
            .ok()
            .filter(|number| (1..=Protocol::LARGEST).contains(number))
            .map(Protocol::Number)
            .ok_or_else(|| unknown(number.to_string())),
        Value::Text(name) => Protocol::named(name).ok_or_else(|| unknown(format!("{name:?}"))),
        other => Err(wrong_type(other, "a protocol such as \"udp\"")),
    }
}

fn exe(value: &Value) -> Result<Glob, String> {
    let pattern = text(value, "a path such as \"/usr/bin/curl\" or \"/opt/**\"")?;
    Glob::new(pattern).map_err(|why| format!("{pattern:?} is not a pattern for paths: {why}"))
}

fn container(value: &Value) -> Result<ContainerRule, String> {
    let id = text(value, "a container's id such as \"3f4c8a1b2d5e\"")?;
    ContainerRule::new(id).map_err(|why| format!("{id:?} is not a container: {why}"))
}

fn user(value: &Value) -> Result<UserRule, String> {
    match value {
        Value::Integer(number) => {
            u32::try_from(*number).map(|uid| UserRule { uid, text: uid.to_string() }).map_err(
                |_| format!("{number} is not a user id; write a number from 0 to {}", u32::MAX),
            )
        }
        Value::Text(name) => match owner::user_id(Path::new(PASSWD), name) {
            Ok(Some(uid)) => Ok(UserRule { uid, text: name.clone() }),
            // Whose names come from elsewhere (LDAP, systemd-homed) have numbers all the same.
            Ok(None) => Err(format!(
                "{name:?} is not in {PASSWD}; write a name from there, or the number that `id -u NAME` prints"
            )),
            Err(error) => Err(format!(
                "cannot look {name:?} up in {PASSWD} ({error}); write the user's number"
            )),
        },
        other => Err(wrong_type(other, "a user's name or number such as \"alice\" or 1000")),
    }
}

fn flag(value: &Value) -> Result<String, String> {
    let flag = text(value, "the name of a flag such as \"--pin\"")?;
    let name = flag.trim_start_matches('-');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(format!("{flag:?} is not the name of a flag; write one like \"--pin\""));
    }
    Ok(flag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn protocols_are_names_or_numbers() {
        assert_eq!(protocol(&as_text("UDP")), Ok(Protocol::Number(17)));
        assert_eq!(protocol(&Value::Integer(17)), Ok(Protocol::Number(17)));
        for wrong in [as_text("upd"), Value::Integer(0), Value::Integer(70_000)] {
            assert!(protocol(&wrong).unwrap_err().contains("\"udp\""));
        }
    }

    #[test]
    fn users_are_looked_up() {
        assert_eq!(user(&as_text("root")).unwrap(), UserRule { uid: 0, text: "root".to_owned() });
        assert_eq!(user(&Value::Integer(1000)).unwrap().uid, 1000);
        assert!(user(&as_text("nobody by this name")).unwrap_err().contains("id -u"));
        assert!(user(&Value::Integer(-1)).is_err());
    }

    #[test]
    fn what_is_wrong_is_explained() {
        assert!(exe(&as_text("curl")).unwrap_err().contains("**/curl"));
        assert!(container(&as_text("3f4c")).unwrap_err().contains("12 digits"));
        assert!(flag(&as_text("--")).is_err() && flag(&as_text("a b")).is_err());
        assert_eq!(flag(&as_text("--pin")), Ok("--pin".to_owned()));
    }
}
