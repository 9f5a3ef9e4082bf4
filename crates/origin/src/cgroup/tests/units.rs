//! Units, sessions and applications in real-life paths of cgroups.

use super::{fill, of};
use crate::origin::{AppKind, Claim, Manager, Session};

const UUID: &str = "5d2ee5f5-8d1c-4f0e-9d64-7f3a3b0f6c55";

#[test]
fn units_of_the_system() {
    let unit = |path: &str| {
        let unit = of(&fill(path)).unit.unwrap_or_else(|| panic!("{path}"));
        assert_eq!(unit.claim, Claim::ByRoot, "{path}");
        assert_eq!(unit.manager, Manager::System, "{path}");
        unit.name
    };
    for (path, name) in [
        ("/init.scope", "init.scope"),
        ("/system.slice/ssh.service", "ssh.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            "postgresql@15-main.service",
        ),
        ("/system.slice/cups.socket", "cups.socket"),
        ("/system.slice/home-ann-x\\x2dy.mount", "home-ann-x\\x2dy.mount"),
        ("/system.slice/systemd-udevd.service/udev", "systemd-udevd.service"),
        ("/system.slice/_memory.service", "memory.service"),
        ("/system.slice/foo.service/bar.service", "foo.service"),
        ("/system.slice/web.service/libpod-payload-{H}", "web.service"),
        ("/machine.slice/systemd-nspawn@build.service/supervisor", "systemd-nspawn@build.service"),
        ("/machine.slice/libpod-conmon-{H}.scope", "libpod-conmon-{H}.scope"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service"),
        (
            "/user.slice/user-1000.slice/user-runtime-dir@1000.service",
            "user-runtime-dir@1000.service",
        ),
        // The user's manager of another, or in another place, is none: it is the system's unit.
        ("/user.slice/user-1000.slice/user@1001.service/app.slice/x.service", "user@1001.service"),
        ("/system.slice/user@1000.service/app.slice/x.service", "user@1000.service"),
        ("/user.slice/user-01000.slice/user@01000.service/x.service", "user@01000.service"),
    ] {
        assert_eq!(unit(path), fill(name), "{path}");
    }
    for path in
        ["/system.slice", "/docker", "/x/y.service", "/system.slice/a b.service", "/.service"]
    {
        assert_eq!(of(path).unit, None, "{path}");
    }
    let long = format!("/system.slice/{}.service", "a".repeat(248));
    assert_eq!(of(&long).unit, None);
}

#[test]
fn units_of_users_are_the_users() {
    for (path, name) in [
        ("{U}/app.slice/app-gnome-firefox-1234.scope", "app-gnome-firefox-1234.scope"),
        ("{U}/session.slice/org.gnome.Shell@wayland.service", "org.gnome.Shell@wayland.service"),
        ("{U}/background.slice/tracker-miner-fs-3.service", "tracker-miner-fs-3.service"),
        ("{U}/system.slice/sshd.service", "sshd.service"),
        ("{U}/user.slice/user-1001.slice/user@1001.service/x.service", "user@1001.service"),
        ("{U}/dbus.service", "dbus.service"),
        ("{U}/app.slice/web.service/a.service", "web.service"),
    ] {
        let unit = of(&fill(path)).unit.unwrap();
        assert_eq!(
            (unit.manager, unit.claim),
            (Manager::User(1000), Claim::ByUser(1000)),
            "{path}"
        );
        assert_eq!((unit.to_string(), unit.name.as_str()), (format!("user 1000/{name}"), name));
    }
}

#[test]
fn sessions_are_known() {
    for (path, id) in [
        ("/user.slice/user-1000.slice/session-3.scope", Some("3")),
        ("/user.slice/user-1000.slice/session-c2.scope", Some("c2")),
        ("/user.slice/user-1000.slice/session-3.scope/below/it", Some("3")),
        ("/system.slice/session-3.scope", None),
        ("/user.slice/user-1000.slice/user@1000.service/session-3.scope", None),
        ("/user.slice/user-1000.slice/session-.scope", None),
    ] {
        let session = of(path).session;
        let want = id.map(|id| Session { id: id.to_owned(), uid: 1000 });
        assert_eq!(session, want, "{path}");
    }
}

fn app(path: &str) -> Option<(String, String)> {
    let app = of(&fill(path).replace("{uuid}", UUID)).app?;
    let kind = match app.kind {
        AppKind::Desktop { launcher } => format!("desktop {}", launcher.unwrap_or_default()),
        AppKind::Flatpak => "flatpak".to_owned(),
        AppKind::Snap { command } => format!("snap {command}"),
        AppKind::SnapHook { hook } => format!("hook {hook}"),
    };
    let claim = if path.starts_with("{U}") { Claim::ByUser(1000) } else { Claim::ByRoot };
    assert_eq!(app.claim, claim, "{path}");
    Some((kind, app.id))
}

#[test]
fn applications_are_known() {
    for (path, kind, id) in [
        ("{U}/app.slice/app-gnome-firefox-1234.scope", "desktop gnome", "firefox"),
        ("{U}/app.slice/app-gnome-google\\x2dchrome-5678.scope", "desktop gnome", "google-chrome"),
        ("{U}/app.slice/app-org.kde.konsole-1a2b3c.scope", "desktop ", "org.kde.konsole"),
        ("{U}/app.slice/app-KDE-org.kde.okular@12.service", "desktop KDE", "org.kde.okular"),
        ("{U}/app.slice/app-firefox@a0b1c2d3e4f5.service", "desktop ", "firefox"),
        (
            "{U}/app.slice/app-org.kde.discover.notifier@autostart.service",
            "desktop ",
            "org.kde.discover.notifier",
        ),
        (
            "{U}/app.slice/dbus-:1.2-org.gnome.Nautilus@0.service",
            "desktop dbus",
            "org.gnome.Nautilus",
        ),
        (
            "{U}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-{uuid}.scope",
            "desktop ",
            "org.gnome.Terminal",
        ),
        (
            "{U}/app.slice/app-flatpak-org.mozilla.firefox-123.scope",
            "flatpak",
            "org.mozilla.firefox",
        ),
        (
            "{U}/app.slice/app-flatpak-md.obsidian.Obsidian-2751032070.scope",
            "flatpak",
            "md.obsidian.Obsidian",
        ),
        ("{U}/app.slice/app-flatpak-com.a.b\\x2dc-1.scope", "flatpak", "com.a.b-c"),
        ("{U}/app.slice/snap.firefox.firefox-{uuid}.scope", "snap firefox", "firefox"),
        ("{U}/snap.chromium.chromium.{uuid}.scope", "snap chromium", "chromium"),
        ("{U}/app.slice/snap.code_2.url-handler-{uuid}.scope", "snap url-handler", "code_2"),
        ("/system.slice/snap.lxd.daemon.service", "snap daemon", "lxd"),
        ("/system.slice/snap.lxd.hook.configure-{uuid}.scope", "hook configure", "lxd"),
        ("/system.slice/snap.a\\x2bcomp.hook.install-{uuid}.scope", "hook install", "a+comp"),
        ("/snap.firefox.firefox", "snap firefox", "firefox"),
        ("/snap.lxd.hook.configure", "hook configure", "lxd"),
    ] {
        assert_eq!(app(path), Some((kind.to_owned(), id.to_owned())), "{path}");
    }
}

#[test]
fn what_is_by_no_specification_is_no_application() {
    for path in [
        "/system.slice/app-gnome-firefox-1234.scope",
        "{U}/app.slice/app-firefox.scope",
        "{U}/app.slice/app-gnome-google-chrome-1234.scope",
        "{U}/app.slice/app-gnome--1234.scope",
        "{U}/app.slice/app--x-1234.scope",
        "{U}/app.slice/app-gnome-x-.scope",
        "{U}/app.slice/app-gnome-a\\xz-1.scope",
        "{U}/app.slice/app-flatpak-nodots-1.scope",
        "{U}/app.slice/app-flatpak-a.b\\x0a-1.scope",
        "{U}/app.slice/app-flatpak-a..b-1.scope",
        "{U}/app.slice/snap.firefox.scope",
        "{U}/app.slice/snap..firefox-{uuid}.scope",
        "{U}/app.slice/snap.a.hook.-{uuid}.scope",
        "{U}/app.slice/pipewire.service",
        "{U}/app.slice/web.service/app-gnome-firefox-1.scope",
        "/lxc.payload.web/user.slice/user-1000.slice/user@1000.service/app-gnome-x-1.scope",
        "/x/snap.firefox.firefox",
    ] {
        assert_eq!(app(path), None, "{path}");
    }
    // What is escaped in a name is still harmless when it is not.
    let path = "{U}/app.slice/app-gnome-a\\x0ab\\x1b\\xff-1.scope";
    assert_eq!(app(path).unwrap().1, "a\\u{a}b\\u{1b}\\xff");
}
