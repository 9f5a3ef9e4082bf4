//! What runtimes write, as far as it is read. `serde_json` skips unknown fields without recursion
//! and goes no deeper than 128 levels elsewhere; nothing is kept but what is asked for.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Metadata, Pod};
use crate::origin::Claim;
use crate::text::clean;

/// Raw, as one of the files has it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) name: Option<String>,
    pub(super) image: Option<String>,
    pub(super) pod: Option<(String, String)>,
    pub(super) location: Option<String>,
}

impl Found {
    /// Whether there is anything in it.
    pub(super) fn tells(&self) -> bool {
        self.name.is_some() || self.image.is_some() || self.pod.is_some() || self.location.is_some()
    }

    pub(super) fn into_metadata(self, claim: Claim) -> Metadata {
        let text = |text: String| clean(text.as_bytes());
        let some = |text: &String| !text.is_empty();
        Metadata {
            name: self.name.filter(some).map(text),
            image: self.image.filter(some).map(text),
            pod: self.pod.map(|(space, name)| Pod { namespace: text(space), name: text(name) }),
            location: self.location.filter(some).map(text),
            claim,
        }
    }
}

/// Docker's `config.v2.json`.
pub(super) fn docker(text: &[u8]) -> Option<Found> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "Name")]
        name: Option<String>,
        #[serde(rename = "Config")]
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "Image")]
        image: Option<String>,
        #[serde(rename = "Labels")]
        labels: Option<Notes>,
    }
    let file: File = serde_json::from_slice(text).ok()?;
    let name = file.name.map(|name| name.strip_prefix('/').map(str::to_owned).unwrap_or(name));
    let config = file.config;
    let notes = config.as_ref().and_then(|config| config.labels.as_ref());
    let in_pod = notes.and_then(|notes| notes.container.clone());
    let pod = notes.and_then(Notes::pod);
    Some(Found {
        name: in_pod.or(name),
        pod,
        image: config.and_then(|config| config.image),
        location: None,
    })
}

/// Labels and annotations by which the kubelet, containerd, nerdctl and CRI-O tell.
#[derive(Default, Deserialize)]
struct Notes {
    #[serde(rename = "io.kubernetes.container.name")]
    container: Option<String>,
    #[serde(rename = "io.kubernetes.cri.container-name")]
    cri_container: Option<String>,
    #[serde(rename = "nerdctl/name")]
    nerdctl: Option<String>,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    cri_image: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    crio_image: Option<String>,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    pod_namespace: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod_name: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    cri_namespace: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    cri_name: Option<String>,
}

impl Notes {
    fn pod(&self) -> Option<(String, String)> {
        let kubelet = self.pod_namespace.clone().zip(self.pod_name.clone());
        kubelet.or_else(|| self.cri_namespace.clone().zip(self.cri_name.clone()))
    }
}

/// An OCI bundle's `config.json`.
pub(super) fn oci(text: &[u8]) -> Option<Found> {
    #[derive(Deserialize)]
    struct File {
        annotations: Option<Notes>,
    }
    let file: File = serde_json::from_slice(text).ok()?;
    let notes = file.annotations.unwrap_or_default();
    Some(Found {
        pod: notes.pod(),
        name: notes.cri_container.or(notes.container).or(notes.nerdctl),
        image: notes.cri_image.or(notes.crio_image),
        location: None,
    })
}

/// crun's `status`.
pub(super) fn crun(text: &[u8]) -> Option<Found> {
    #[derive(Deserialize)]
    struct File {
        bundle: Option<String>,
    }
    let file: File = serde_json::from_slice(text).ok()?;
    Some(Found { location: file.bundle, ..Found::default() })
}

/// runc's `state.json`, where the bundle is one of the labels.
pub(super) fn runc(text: &[u8]) -> Option<Found> {
    #[derive(Deserialize)]
    struct File {
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    struct Config {
        labels: Option<Vec<String>>,
    }
    let file: File = serde_json::from_slice(text).ok()?;
    let labels = file.config.and_then(|config| config.labels).unwrap_or_default();
    let bundle = labels.iter().find_map(|label| label.strip_prefix("bundle="));
    Some(Found { location: bundle.map(str::to_owned), ..Found::default() })
}

/// `containers.json` of containers/storage (Podman, CRI-O): the entry of one identifier, `None`
/// inside if there is none.
pub(super) fn storage(text: &[u8], id: &str) -> Option<Option<Found>> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let entry = Search { id }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    let Some(entry) = entry else { return Some(None) };
    #[derive(Deserialize, Default)]
    struct Inner {
        #[serde(rename = "image-name")]
        image: Option<String>,
        name: Option<String>,
    }
    // Text in JSON that is JSON again.
    let inner = entry.metadata.and_then(|text| serde_json::from_str::<Inner>(&text).ok());
    let inner = inner.unwrap_or_default();
    let name = entry.names.and_then(|names| names.0).or(inner.name);
    Some(Some(Found { name, image: inner.image, ..Found::default() }))
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    names: Option<First>,
    metadata: Option<String>,
}

/// Finds an entry without keeping the others: a list of a few megabytes may have millions.
struct Search<'a> {
    id: &'a str,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = Option<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = Option<Entry>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(entry) = list.next_element::<Entry>()? {
            if found.is_none() && entry.id == self.id {
                found = Some(entry);
            }
        }
        Ok(found)
    }
}

/// The first text of a list.
struct First(Option<String>);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(FirstVisitor)
    }
}

struct FirstVisitor;

impl<'de> Visitor<'de> for FirstVisitor {
    type Value = First;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First, A::Error> {
        let first = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }
}
