//! Single values with rules of their own: ports, domains, subnets, digests, groups.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use femtosnitch_model::Sha256;
use ipnet::{IpNet, Ipv4Net};

use super::node::Value;
use super::section::wrong_type;
use super::{GeoFile, WebTls};

pub(super) fn port(value: &Value) -> Result<u16, String> {
    let Value::Integer(number) = value else {
        return Err(wrong_type(value, "a port number from 1 to 65535, without quotes"));
    };
    u16::try_from(*number)
        .ok()
        .filter(|&port| port > 0)
        .ok_or_else(|| format!("{number} is not a port; write a number from 1 to 65535"))
}

/// A name as DNS carries it, without dots at its ends.
pub(super) fn domain(value: &Value) -> Result<String, String> {
    let text = text(value, "a domain such as \"example.org\"")?;
    let name = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let wrong = |why: &str| Err(format!("{text:?} is not a domain: {why}"));
    if name.parse::<IpAddr>().is_ok() {
        return wrong("addresses belong in \"subnets\"");
    }
    if !name.is_ascii() {
        return wrong("write it as DNS carries it, beginning with \"xn--\"");
    }
    if name.contains('*') {
        return wrong("\"*\" is not needed; \"example.org\" covers everything below it");
    }
    if name.contains(['/', ':', '@']) {
        return wrong(
            "write the name alone, such as \"example.org\", without scheme, port or path",
        );
    }
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return wrong("write labels of 1 to 63 characters with single dots between them");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return wrong("write letters, digits, \"-\" and \"_\" with dots between the labels");
    }
    Ok(name)
}

pub(super) fn address(value: &Value) -> Result<IpAddr, String> {
    let text = text(value, "an address such as \"192.0.2.53\"")?;
    let address = text.parse::<IpAddr>();
    let address = address.map_err(|_| format!("{text:?} is not an address; write one like \"192.0.2.53\" or \"2001:db8::53\", without a port"))?;
    Ok(address.to_canonical())
}

/// "auto", "off", or the path of a database.
pub(super) fn geo_file(value: &Value) -> Result<GeoFile, String> {
    let wanted = "\"auto\", \"off\", or the absolute path of a MaxMind DB file";
    match text(value, wanted)? {
        "auto" => Ok(GeoFile::Auto),
        "off" => Ok(GeoFile::Off),
        path if Path::new(path).is_absolute() => Ok(GeoFile::File(path.into())),
        other => Err(format!("{other:?} is not a choice; write {wanted}")),
    }
}

/// Address and port.
pub(super) fn listen(value: &Value) -> Result<SocketAddr, String> {
    let wanted = "an address with a port such as \"127.0.0.1:5100\" or \"[::1]:5100\"";
    let text = text(value, wanted)?;
    text.parse().map_err(|_| format!("{text:?} is not one; write {wanted}"))
}

/// A name, or an address, by which browsers know this machine.
pub(super) fn host(value: &Value) -> Result<String, String> {
    let wanted = text(value, "a name such as \"snitch.example.org\", without a port")?;
    match wanted.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(addr) => Ok(addr.to_string()),
        Err(_) if wanted.contains('*') => {
            Err(format!("{wanted:?} is not a name: write each name in full"))
        }
        Err(_) => domain(value),
    }
}

/// "off", "own", or the path of a certificate.
pub(super) fn web_tls(value: &Value) -> Result<WebTls, String> {
    let wanted = "\"off\", \"own\", or the absolute path of a certificate in PEM form";
    match text(value, wanted)? {
        "off" => Ok(WebTls::Off),
        "own" => Ok(WebTls::Own),
        path if Path::new(path).is_absolute() => Ok(WebTls::File(path.into())),
        other => Err(format!("{other:?} is not a choice; write {wanted}")),
    }
}

/// An absolute path, or "" for none.
pub(super) fn optional_path(value: &Value) -> Result<Option<PathBuf>, String> {
    match text(value, "an absolute path, or \"\" for none")? {
        "" => Ok(None),
        path if Path::new(path).is_absolute() => Ok(Some(path.into())),
        other => Err(format!("{other:?} is not an absolute path; begin it with \"/\"")),
    }
}

pub(super) fn subnet(value: &Value) -> Result<IpNet, String> {
    let text = text(value, "a subnet such as \"192.0.2.0/24\" or an address")?;
    let net = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            format!("{text:?} is not a subnet; write one like \"192.0.2.0/24\", \"2001:db8::/32\" or \"192.0.2.7\"")
        })?;
    // Taken as it stands, a slip such as 10.1.2.3/8 would hide far more traffic than was meant.
    if net.addr() != net.network() {
        let host = IpNet::from(net.addr());
        return Err(format!(
            "{text:?} has address bits beyond its prefix; write \"{}\" for the subnet or \"{host}\" for the one address",
            net.trunc()
        ));
    }
    Ok(unmapped(net))
}

/// IPv4 in IPv6's clothes: femtosnitch shows and compares such addresses as IPv4.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(addr), Some(prefix)) => v4(addr, prefix).unwrap_or(net),
        _ => net,
    }
}

fn v4(addr: Ipv4Addr, prefix: u8) -> Option<IpNet> {
    Ipv4Net::new(addr, prefix).ok().map(IpNet::V4)
}

pub(super) fn sha256(value: &Value) -> Result<Sha256, String> {
    let text = text(value, "a SHA-256 digest as 64 hexadecimal digits in quotes")?;
    digest(text).ok_or_else(|| {
        format!("{text:?} is not a SHA-256 digest; write the 64 hexadecimal digits that `sha256sum FILE` prints")
    })
}

fn digest(text: &str) -> Option<Sha256> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let digit = |ch: u8| char::from(ch).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(Sha256(out))
}

/// A group name; '' means none.
pub(super) fn group(value: &Value) -> Result<Option<String>, String> {
    let text = text(value, "a group name such as \"femtosnitch\", or \"\" for root only")?;
    if text.is_empty() {
        return Ok(None);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if text.len() > 64 || !text.bytes().all(plain) {
        return Err(format!(
            "{text:?} is not a group name; write one from /etc/group, or \"\" for root only"
        ));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn text<'v>(value: &'v Value, wanted: &str) -> Result<&'v str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type(other, wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn databases_are_chosen_or_named() {
        assert_eq!(geo_file(&as_text("auto")), Ok(GeoFile::Auto));
        assert_eq!(geo_file(&as_text("off")), Ok(GeoFile::Off));
        assert_eq!(geo_file(&as_text("/a b")), Ok(GeoFile::File("/a b".into())));
        for wrong in ["", "Auto", "geo.mmdb", "~/geo.mmdb"] {
            let error = geo_file(&as_text(wrong)).unwrap_err();
            assert!(error.contains("absolute path"), "{error}");
        }
        assert!(geo_file(&Value::Bool(true)).is_err());
    }

    #[test]
    fn domains_are_normalised() {
        for (given, read) in [
            ("Example.ORG", "example.org"),
            ("*.example.org", "example.org"),
            (".example.org.", "example.org"),
            ("_dmarc.x-y.org", "_dmarc.x-y.org"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(domain(&as_text(given)), Ok(read.to_owned()));
        }
    }

    #[test]
    fn what_is_no_domain_is_explained() {
        for (given, part) in [
            ("192.0.2.1", "\"subnets\""),
            ("https://example.org/", "without scheme"),
            ("exämple.org", "xn--"),
            ("a..b", "labels"),
            ("", "labels"),
            (".", "labels"),
            ("ads*.example.org", "not needed"),
            ("exa mple.org", "letters"),
        ] {
            let message = domain(&as_text(given)).unwrap_err();
            assert!(message.contains(part), "{given}: {message}");
        }
    }

    #[test]
    fn subnets_are_read() {
        for (given, read) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(subnet(&as_text(given)).unwrap().to_string(), read);
        }
    }

    #[test]
    fn a_subnet_wider_than_its_address_is_refused() {
        let message = subnet(&as_text("10.1.2.3/8")).unwrap_err();
        assert!(message.contains("\"10.0.0.0/8\"") && message.contains("\"10.1.2.3/32\""));
        assert!(subnet(&as_text("10.0.0.0/33")).is_err());
    }

    #[test]
    fn digests_are_read_in_either_case() {
        let read = sha256(&as_text(&"aB".repeat(32))).unwrap();
        assert_eq!(read.to_string(), "ab".repeat(32));
        for wrong in ["", "ab", &"xy".repeat(32), &"é".repeat(32), &"a".repeat(65)] {
            assert!(sha256(&as_text(wrong)).unwrap_err().contains("sha256sum"), "{wrong}");
        }
    }

    #[test]
    fn ports_and_groups_have_bounds() {
        assert_eq!(port(&Value::Integer(65_535)), Ok(65_535));
        for wrong in [0, -1, 65_536, i128::MAX] {
            assert!(port(&Value::Integer(wrong)).is_err());
        }
        assert_eq!(group(&as_text("")), Ok(None));
        assert!(group(&as_text("a b")).is_err());
    }
}
