//! What each of picosnitch's keys means for us. What it would have ignored is ignored, and told.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::{Table, Value};

use super::written::{Written, is_right};

/// Longer than this is for ever.
const LONGEST_DAYS: i64 = 36_525;

/// What is written, and what is to be told.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) written: Written,
    pub(super) lost: Vec<String>,
    pub(super) different: Vec<String>,
}

/// One of picosnitch's sections while its keys are taken out.
struct Section<'m> {
    name: &'static str,
    keys: Table,
    made: &'m mut Made,
}

/// Translates the whole file.
pub(super) fn translate(mut table: Table) -> Made {
    let mut made = Made::default();
    type Read = fn(&mut Section<'_>);
    let sections: [(&'static str, Read); 6] = [
        ("database", database),
        ("data", data),
        ("log", log),
        ("desktop", desktop),
        ("monitoring", monitoring),
        ("virustotal", virustotal),
    ];
    for (name, read) in sections {
        let keys = match table.remove(name) {
            Some(Value::Table(keys)) => keys,
            Some(_) => {
                made.different.push(format!("{name}: no section, which picosnitch ignored"));
                continue;
            }
            None => Table::new(),
        };
        let mut section = Section { name, keys, made: &mut made };
        read(&mut section);
        let rest: Vec<String> = section.keys.keys().map(|key| format!("{name}.{key}")).collect();
        unknown(&mut made, &rest);
    }
    let rest: Vec<String> = table.keys().cloned().collect();
    unknown(&mut made, &rest);
    made
}

fn unknown(made: &mut Made, keys: &[String]) {
    made.lost.extend(keys.iter().map(|key| format!("{key}: unknown to picosnitch as well")));
}

impl Section<'_> {
    fn lost(&mut self, key: &str, why: &str) {
        self.made.lost.push(format!("{}.{key}: {why}", self.name));
    }

    fn different(&mut self, key: &str, how: &str) {
        self.made.different.push(format!("{}.{key}: {how}", self.name));
    }

    /// Takes a key; of the wrong type it counts as not there, as picosnitch has it.
    fn take<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.keys.remove(key)?;
        let read = read(&value);
        if read.is_none() {
            self.different(key, &format!("not {wanted}, so picosnitch took its default"));
        }
        read
    }

    fn switch(&mut self, key: &str) -> Option<bool> {
        self.take(key, "true or false", Value::as_bool)
    }

    fn number(&mut self, key: &str) -> Option<i64> {
        self.take(key, "a number", Value::as_integer)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn list(&mut self, key: &str) -> Vec<Value> {
        self.take(key, "a list", |value| value.as_array().cloned()).unwrap_or_default()
    }

    /// Writes those items of a list that can be written.
    fn rules(&mut self, key: &str, ours: &'static str, items: Vec<Value>) {
        let mut right: Vec<Value> = Vec::new();
        for item in items {
            match is_right("ignore", ours, &Value::Array(vec![item.clone()])) {
                Ok(()) if right.contains(&item) => {}
                Ok(()) => right.push(item),
                Err(why) => self.lost(key, &format!("{item} is left out: {why}")),
            }
        }
        if !right.is_empty() {
            self.made.written.set("ignore", ours, Value::Array(right));
        }
    }

    fn write(&mut self, section: &'static str, key: &'static str, value: impl Into<Value>) {
        self.made.written.set(section, key, value.into());
    }
}

fn database(it: &mut Section<'_>) {
    if it.switch("enabled") == Some(false) {
        it.lost("enabled", "femtosnitch always keeps a history; [only] and [ignore] make it small");
    }
    match it.number("retention_days") {
        None | Some(30) => {}
        Some(0) => it.different(
            "retention_days",
            "0 deleted the whole history at each start; it is kept for the default of 30 days now \
             (the shortest that can be set is store.retention = \"1h\")",
        ),
        Some(days) if days < 0 => it.different(
            "retention_days",
            "negative, so picosnitch took 30 days; that is the default here, too",
        ),
        Some(days) if days > LONGEST_DAYS => it.write("store", "retention", "forever"),
        Some(days) => it.write("store", "retention", format!("{days}d")),
    }
    match it.number("write_limit_seconds") {
        None | Some(10) => {}
        Some(seconds) if seconds < 0 => it.different(
            "write_limit_seconds",
            "negative, so picosnitch took 10 seconds; that is the default here, too",
        ),
        Some(seconds) => {
            let ours = seconds.clamp(1, 3_600);
            it.write("store", "write_interval", format!("{ours}s"));
            if ours != seconds {
                let how = format!("{seconds} is {ours} now; from 1 to 3600 seconds can be set");
                it.different("write_limit_seconds", &how);
            }
        }
    }
    if it.switch("text_log") == Some(true) {
        it.write("log", "connections", "csv");
        it.different(
            "text_log",
            "var/log/femtosnitch/connections.csv has other columns, named in its first line, and is \
             renamed when it is large",
        );
    }
    if let Some(Value::Table(remote)) = it.keys.remove("remote")
        && !remote.is_empty()
    {
        it.lost("remote", "nothing is sent to another database; its login is not carried over");
    }
}

fn data(it: &mut Section<'_>) {
    if it.text("owner").is_some_and(|owner| !["", "root", "0"].contains(&owner.as_str())) {
        it.lost("owner", "files belong to root; access.group may read them");
    }
    if let Some(group) = it.text("group").filter(|it| !["", "root", "0"].contains(&it.as_str())) {
        if group.bytes().all(|byte| byte.is_ascii_digit()) {
            it.lost("group", "a number; give access.group the group's name");
        } else if let Err(why) = it.made.written.try_set("access", "group", group.into()) {
            it.lost("group", &why);
        }
    }
    let mode = it.text("mode").unwrap_or_else(|| "0644".to_owned());
    if u32::from_str_radix(&mode, 8).is_ok_and(|mode| mode & 0o004 != 0) {
        it.different(
            "mode",
            "every user of the machine could read the history; now root and access.group can",
        );
    }
}

fn log(it: &mut Section<'_>) {
    if it.switch("addresses") == Some(false) {
        it.write("privacy", "addresses", false);
        it.write("privacy", "names", false);
        it.different(
            "addresses",
            "local addresses are left out as well, and filters by address and name still work",
        );
    }
    if it.switch("commands") == Some(false) {
        it.write("privacy", "cmdlines", false);
    } else {
        it.different("commands", "secrets in command lines become *** (privacy.redact)");
    }
    if it.switch("ports") == Some(false) {
        it.write("privacy", "ports", false);
        it.different("ports", "filters by port still work");
    }
    let mut ports = it.list("ignore_ports");
    let all = ports.len();
    // -1 stood for the starts of programs, 0 for no port.
    ports.retain(|port| !matches!(port, Value::Integer(-1 | 0)));
    if ports.len() < all {
        it.lost("ignore_ports", "-1 and 0, which are no ports");
    }
    it.rules("ignore_ports", "ports", ports);

    let prefixes = it.list("ignore_domains");
    if !prefixes.is_empty() {
        it.different(
            "ignore_domains",
            "were beginnings of reversed names (\"com.exam\" hid com.example, too); now each is a \
             name with everything below it, and only names count that a resolver of the system gave",
        );
    }
    let domains = prefixes.into_iter().map(|prefix| match prefix {
        Value::String(prefix) => Value::String(forwards(&prefix)),
        other => other,
    });
    let domains = domains.collect();
    it.rules("ignore_domains", "domains", domains);

    let nets = it.list("ignore_ips");
    if !nets.is_empty() {
        it.different(
            "ignore_ips",
            "hid what had a local address in the subnet as well; now only the remote one counts",
        );
    }
    let nets = nets.into_iter().map(|net| match net {
        Value::String(net) => Value::String(trimmed(&net)),
        other => other,
    });
    let nets = nets.collect();
    it.rules("ignore_ips", "subnets", nets);

    let digests = it.list("ignore_sha256");
    it.rules("ignore_sha256", "sha256", digests);

    if it.made.written.has("ignore") {
        it.made.different.push(
            "log.ignore_*: what is hidden is still counted, one row for each rule, \"(ignored)\""
                .to_owned(),
        );
    }
}

fn desktop(it: &mut Section<'_>) {
    if it.text("user").is_some_and(|user| !user.is_empty()) {
        it.lost("user", "nothing is shown on desktops yet; files are hashed as whoever runs them");
    }
    if it.switch("notifications") != Some(false) {
        it.lost(
            "notifications",
            "there are none yet; `femtosnitch query --events` lists what is new or changed",
        );
    }
    if it.switch("geoip_lookup") == Some(false) {
        it.write("geoip", "country", "off");
        it.write("geoip", "asn", "off");
    } else {
        it.different("geoip_lookup", "nothing is downloaded; [geoip] says which files are used");
    }
}

fn monitoring(it: &mut Section<'_>) {
    if it.switch("every_exe") == Some(true) {
        it.lost("every_exe", "starts of programs are recorded with their traffic only");
    }
    match it.number("conn_map_max_entries") {
        None | Some(65_536) => {}
        Some(entries) if (1..=1_048_576).contains(&entries) => {
            it.write("capture", "max_flows", entries.max(64));
        }
        Some(_) => it.different(
            "conn_map_max_entries",
            "out of bounds, so picosnitch took 65536; that is the default here, too",
        ),
    }
    for (key, usual, why) in [
        (
            "perf_ring_buffer_pages",
            Some(256),
            "another kind of buffer is used (capture.event_buffer)",
        ),
        ("rlimit_nofile", None, "not needed: executables are not kept open"),
        ("st_dev_mask", None, "not needed: files are told apart on btrfs, too"),
    ] {
        if it.number(key).is_some_and(|number| Some(number) != usual) {
            it.lost(key, why);
        }
    }
}

fn virustotal(it: &mut Section<'_>) {
    if it.text("api_key").is_some_and(|key| !key.is_empty()) {
        it.lost("api_key", "nobody is asked about files yet; the key is not carried over");
    }
    if it.switch("file_upload") == Some(true) {
        it.lost("file_upload", "no file ever leaves the machine");
    }
    // Without the two above it says nothing.
    it.number("request_limit_seconds");
}

/// `com.example.` as `example.com`.
fn forwards(reversed: &str) -> String {
    let reversed = reversed.trim_matches('.');
    if reversed.parse::<IpAddr>().is_ok() {
        // picosnitch stored an address where there was no name.
        return reversed.to_owned();
    }
    reversed.rsplit('.').collect::<Vec<_>>().join(".")
}

/// A subnet without the host's bits, which picosnitch did not mind.
fn trimmed(net: &str) -> String {
    net.parse::<IpNet>().map_or_else(|_| net.to_owned(), |net| net.trunc().to_string())
}
