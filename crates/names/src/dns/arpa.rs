//! Addresses as names, under which PTR records lie (RFC 1035 §3.5, 3596 §2.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a name in `in-addr.arpa` or `ip6.arpa` stands for; nothing of a network's.
pub(super) fn address(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut bytes = [0; 4];
        let mut labels = labels.rsplit('.');
        for byte in &mut bytes {
            let label = labels.next()?;
            // Not what a number may also look like elsewhere: `+1`, `007`.
            *byte = label.parse().ok().filter(|byte: &u8| byte.to_string() == label)?;
        }
        return labels.next().is_none().then(|| Ipv4Addr::from(bytes).into());
    }
    let mut bits = 0u128;
    let mut labels = name.strip_suffix(".ip6.arpa")?.rsplit('.');
    for _ in 0..32 {
        let label = labels.next()?;
        let digit = label.chars().next()?.to_digit(16).filter(|_| label.len() == 1)?;
        bits = bits << 4 | u128::from(digit);
    }
    labels.next().is_none().then(|| Ipv6Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_nothing_else() {
        assert_eq!(address("7.2.0.192.in-addr.arpa"), "192.0.2.7".parse().ok());
        let v6 = format!("1.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23));
        assert_eq!(address(&v6), "2001:db8::1".parse().ok());
        for wrong in [
            "2.0.192.in-addr.arpa",
            "1.7.2.0.192.in-addr.arpa",
            "256.2.0.192.in-addr.arpa",
            "07.2.0.192.in-addr.arpa",
            "+7.2.0.192.in-addr.arpa",
            "in-addr.arpa",
            "example.org",
            "10.0.ip6.arpa",
            "",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
        assert_eq!(address(&v6.replacen('1', "g", 1)), None);
        assert_eq!(address(&format!("1.{v6}")), None);
    }
}
