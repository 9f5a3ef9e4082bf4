//! The fields of a database's record that are of use, in every publisher's spelling.
//!
//! | publisher | country | network |
//! |---|---|---|
//! | MaxMind, DB-IP | `country.iso_code`, else `registered_country.iso_code` | `autonomous_system_number`, `…_organization` |
//! | ip-location-db | `country_code` | `autonomous_system_number`, `…_organization` |
//! | IPinfo | `country_code`, in older files `country` | `asn` (`AS123`), `as_name` |

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;

use crate::Answer;
use crate::Country;
use crate::text;

/// A record as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    country_code: Option<&'a str>,
    country: Option<Named<'a>>,
    registered_country: Option<Named<'a>>,
    autonomous_system_number: Option<Number>,
    asn: Option<Number>,
    autonomous_system_organization: Option<&'a str>,
    as_name: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// What it says; `Err` says which country code is none.
    pub(crate) fn answer(self) -> Result<Answer<'a>, String> {
        // IPinfo has the country's name in `country` where it has a code in `country_code`.
        let code = known(self.country_code)
            .or(self.country.and_then(|country| known(country.code())))
            .or(self.registered_country.and_then(|country| known(country.code())));
        let country = code
            .map(|code| {
                let shown = text::clean(code, 32);
                Country::new(code)
                    .ok_or_else(|| format!("the country code {shown:?} is not two letters A-Z"))
            })
            .transpose()?;
        let org = self.autonomous_system_organization.or(self.as_name);
        Ok(Answer {
            country,
            asn: self
                .autonomous_system_number
                .or(self.asn)
                .map(|number| number.0)
                .filter(|n| *n > 0),
            org: org.filter(|org| !org.is_empty()).map(|org| text::clean(org, text::NAME)),
        })
    }
}

/// Without what publishers write where they do not know: nothing, `-`, and `ZZ`, the code that
/// ISO 3166 leaves to users and the CLDR takes for "unknown".
fn known(code: Option<&str>) -> Option<&str> {
    code.filter(|code| !matches!(*code, "" | "-" | "ZZ"))
}

/// A country: its code, or a map that has it.
#[derive(Debug)]
enum Named<'a> {
    Text(&'a str),
    Map(Option<&'a str>),
}

impl<'a> Named<'a> {
    fn code(self) -> Option<&'a str> {
        match self {
            Self::Text(code) => Some(code),
            Self::Map(code) => code,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Named<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a country's code, or a map with its iso_code")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Named::Text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut code = None;
                while let Some(key) = map.next_key::<&str>()? {
                    if key == "iso_code" {
                        code = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Named::Map(code))
            }
        }
        from.deserialize_any(Either)
    }
}

/// An autonomous system's number, as a number or as text.
#[derive(Debug)]
struct Number(u32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of an autonomous system, like 123 or \"AS123\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                let wrong = || E::custom(format_args!("{number} is no autonomous system's number"));
                Ok(Number(u32::try_from(number).map_err(|_| wrong())?))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let digits = text.strip_prefix("AS").unwrap_or(text);
                if digits.is_empty() {
                    return Ok(Number(0));
                }
                if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(E::custom("an autonomous system's number is not digits"));
                }
                digits.parse().map(Number).map_err(E::custom)
            }
        }
        from.deserialize_any(Either).map_err(D::Error::custom)
    }
}
