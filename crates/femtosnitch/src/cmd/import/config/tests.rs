//! Every key of picosnitch, and what becomes of it.

use super::*;

fn made(text: &str) -> Translation {
    translate(text, "x.toml").unwrap()
}

fn config(text: &str) -> Config {
    Config::parse(&made(text).config, Format::Toml).unwrap()
}

fn tells(lines: &[String], key: &str, what: &str) -> bool {
    lines.iter().any(|line| line.starts_with(key) && line.contains(what))
}

#[test]
fn its_defaults_are_ours() {
    let theirs = "[database]\nenabled = true\nretention_days = 30\nwrite_limit_seconds = 10\n\
        text_log = false\n[database.remote]\n[data]\nowner = \"root\"\ngroup = \"root\"\n\
        mode = \"0644\"\n[log]\naddresses = true\ncommands = true\nports = true\n\
        ignore_ports = []\nignore_domains = []\nignore_ips = []\nignore_sha256 = []\n[desktop]\n\
        user = \"\"\nnotifications = true\ngeoip_lookup = true\n[monitoring]\nevery_exe = false\n\
        perf_ring_buffer_pages = 256\nconn_map_max_entries = 65536\n[virustotal]\napi_key = \"\"\n\
        file_upload = false\nrequest_limit_seconds = 15\n";
    let made = made(theirs);
    assert_eq!(config(theirs), Config::default());
    assert_eq!(made.config, translate("", "x.toml").unwrap().config);
    assert_eq!(made.lost.len(), 1, "{:?}", made.lost);
    assert!(tells(&made.lost, "desktop.notifications", "none yet"));
    for key in ["data.mode", "log.commands", "desktop.geoip_lookup"] {
        assert!(tells(&made.different, key, ""), "{key}: {:?}", made.different);
    }
}

#[test]
fn what_has_a_counterpart_is_carried() {
    let theirs = "[database]\nretention_days = 365\nwrite_limit_seconds = 60\n\
        [data]\ngroup = \"adm\"\nmode = \"0640\"\n\
        [log]\naddresses = false\ncommands = false\nports = false\nignore_ports = [53, 443, 53]\n\
        ignore_domains = [\"com.Example\", \"org.example.www.\"]\n\
        ignore_ips = [\"10.1.2.3/8\", \"2001:db8::1\"]\n\
        ignore_sha256 = [\"ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB\"]\n\
        [desktop]\nnotifications = false\ngeoip_lookup = false\n\
        [monitoring]\nconn_map_max_entries = 1000\n";
    let ours = "[store]\nretention = \"365d\"\nwrite_interval = \"60s\"\n[access]\ngroup = \"adm\"\n\
        [privacy]\naddresses = false\nnames = false\ncmdlines = false\nports = false\n\
        [ignore]\nports = [53, 443]\ndomains = [\"example.com\", \"www.example.org\"]\n\
        subnets = [\"10.0.0.0/8\", \"2001:db8::1\"]\n\
        sha256 = [\"abababababababababababababababababababababababababababababababab\"]\n\
        [geoip]\ncountry = \"off\"\nasn = \"off\"\n[capture]\nmax_flows = 1000\n";
    assert_eq!(config(theirs), Config::parse(ours, Format::Toml).unwrap());
    let made = made(theirs);
    assert_eq!(made.lost, [""; 0]);
    for (key, what) in [
        ("log.addresses", "local"),
        ("log.ports", "filters"),
        ("log.ignore_domains", "beginnings"),
        ("log.ignore_ips", "only the remote"),
        ("log.ignore_*", "counted"),
    ] {
        assert!(tells(&made.different, key, what), "{key}: {:?}", made.different);
    }
}

#[test]
fn a_text_log_goes_on_in_csv() {
    let theirs = "[database]\ntext_log = true\n";
    let made = made(theirs);
    assert!(tells(&made.different, "database.text_log", "connections.csv"), "{:?}", made.different);
    assert!(!tells(&made.lost, "database.text_log", ""), "{:?}", made.lost);
    assert_ne!(config(theirs).log, Config::default().log);
}

#[test]
fn what_has_none_is_told_and_no_secret_is() {
    let theirs = "[database]\nenabled = false\n[database.remote]\n\
        client = \"pymysql\"\npassword = \"s3cret\"\n[data]\nowner = \"alice\"\ngroup = \"1000\"\n\
        [log]\nignore_ports = [-1, 0]\n[desktop]\nuser = \"alice\"\n[monitoring]\n\
        every_exe = true\nperf_ring_buffer_pages = 512\nrlimit_nofile = 4096\nst_dev_mask = 0\n\
        [virustotal]\napi_key = \"s3cret\"\nfile_upload = true\nrequest_limit_seconds = 20\n";
    let made = made(theirs);
    for key in [
        "database.enabled",
        "database.remote",
        "data.owner",
        "data.group",
        "log.ignore_ports",
        "desktop.user",
        "desktop.notifications",
        "monitoring.every_exe",
        "monitoring.perf_ring_buffer_pages",
        "monitoring.rlimit_nofile",
        "monitoring.st_dev_mask",
        "virustotal.api_key",
        "virustotal.file_upload",
    ] {
        assert!(tells(&made.lost, key, ""), "{key}: {:?}", made.lost);
    }
    assert_eq!(config(theirs), Config::default());
    assert!(!format!("{made:?}").contains("s3cret"));
}

#[test]
fn bounds_and_wrong_values_do_what_picosnitch_did_or_less() {
    let store = |text: &str| config(&format!("[database]\n{text}\n")).store;
    let days = |days: u64| Some(std::time::Duration::from_secs(days * 86_400));
    // Never shorter than it was, but for what deleted everything at each start.
    assert_eq!(store("retention_days = 0").retention, days(30));
    assert_eq!(store("retention_days = -7").retention, days(30));
    assert_eq!(store("retention_days = \"365\"").retention, days(30));
    assert_eq!(store("retention_days = 1").retention, days(1));
    assert_eq!(store("retention_days = 36525").retention, days(36_525));
    assert_eq!(store("retention_days = 99999").retention, None);
    assert!(tells(&made("[database]\nretention_days = 0").different, "database.retention", "0"));
    for (theirs, ours) in [("0", 1), ("-1", 10), ("3600", 3_600), ("86400", 3_600)] {
        let interval = store(&format!("write_limit_seconds = {theirs}")).write_interval;
        assert_eq!(interval.as_secs(), ours, "{theirs}");
    }
    let flows =
        |n: &str| config(&format!("[monitoring]\nconn_map_max_entries = {n}\n")).capture.max_flows;
    assert_eq!([flows("1"), flows("0"), flows("9999999")], [64, 65_536, 65_536]);

    let odd = made(
        "database = 3\nlgo = 1\n[log]\naddreses = false\nports = \"no\"\nignore_ports = 53\n\
         ignore_domains = [\"1.2.3.4\", \"com.a b\", \"com\", 7]\nignore_ips = [\"x\", 3]\n\
         ignore_sha256 = [\"ab\"]\n",
    );
    for (key, what) in [("lgo", "unknown"), ("log.addreses", "unknown")] {
        assert!(tells(&odd.lost, key, what), "{key}: {:?}", odd.lost);
    }
    for (key, times) in [("log.ignore_domains", 3), ("log.ignore_ips", 2), ("log.ignore_sha256", 1)]
    {
        let found = odd.lost.iter().filter(|line| line.starts_with(key)).count();
        assert_eq!(found, times, "{key}: {:?}", odd.lost);
    }
    for (key, what) in
        [("database", "no section"), ("log.ports", "default"), ("log.ignore_ports", "list")]
    {
        assert!(tells(&odd.different, key, what), "{key}: {:?}", odd.different);
    }
    assert!(odd.config.contains("domains = [\"com\"]"), "{}", odd.config);
}

#[test]
fn what_is_no_toml_is_refused() {
    assert!(translate("[log\n", "x").unwrap_err().contains("not valid TOML"));
    assert!(translate("{\"DB sql log\": true}", "x").unwrap_err().contains("config.json"));
}

#[test]
fn a_configuration_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path());
    let theirs = dir.path().join("theirs.toml");
    fs::write(&theirs, "[database]\nretention_days = 7\n").unwrap();
    run(&paths, &theirs, true).unwrap();
    let week = Some(std::time::Duration::from_secs(7 * 86_400));
    assert_eq!(Config::load(&paths).unwrap().0.store.retention, week);
    fs::write(&theirs, "[database]\nretention_days = 8\n").unwrap();
    let refused = run(&paths, &theirs, true).unwrap_err().to_string();
    assert!(refused.contains("stays as it is"), "{refused}");
    assert_eq!(Config::load(&paths).unwrap().0.store.retention, week);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String, domain: String, days: i64, net: String) {
        drop(translate(&text, &domain));
        let list = toml::Value::Array(vec![toml::Value::String(domain)]);
        let net = toml::Value::Array(vec![toml::Value::String(net)]);
        let text = format!("[database]\nretention_days = {days}\n[log]\nignore_domains = {list}\nignore_ips = {net}\nignore_ports = [{days}]\n");
        proptest::prop_assert!(translate(&text, "x").is_ok());
    }
}
