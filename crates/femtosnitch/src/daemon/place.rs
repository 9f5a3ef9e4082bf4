//! Where a program ran, in the words of the history.

use std::sync::Arc;

use femtosnitch_engine::PlaceNames;
use femtosnitch_model::Place;
use femtosnitch_origin::{App, AppKind, Claim, Container, Origin, app_image};

/// For the engine.
pub(super) const NAMES: PlaceNames = PlaceNames { of_cgroup, of_path };

/// What a cgroup path says. A name that somebody else than root can have given begins with who
/// that is, so that it is never taken for the system's own.
fn of_cgroup(path: &[u8]) -> Place {
    let origin = Origin::of_cgroup(path);
    let container: Arc<str> = container(&origin).into();
    let app: Arc<str> = origin.app.as_ref().map_or_else(String::new, app).into();
    // A Flatpak has `/app` and a `/usr` of its own.
    let sandboxed = origin.app.as_ref().is_some_and(|app| app.kind == AppKind::Flatpak);
    let realm = if container.is_empty() && sandboxed { &app } else { &container };
    Place {
        realm: Arc::clone(realm),
        unit: origin.unit.as_ref().map_or_else(String::new, ToString::to_string).into(),
        container,
        app,
    }
}

/// The app that an AppImage says it is, by where it is mounted.
fn of_path(exe: &[u8], parent: Option<&[u8]>) -> Option<Arc<str>> {
    app_image(exe, parent).map(|image| format!("appimage {}", image.name).into())
}

/// The id; of nested ones the outermost and the innermost.
fn container(origin: &Origin) -> String {
    let id = |container: &Container| format!("{}{}", container.claim, container.id);
    match origin.containers.as_slice() {
        [] => String::new(),
        [only] => id(only),
        [outer, .., inner] => format!("{} > {}", id(outer), inner.id),
    }
}

fn app(app: &App) -> String {
    let claim = if app.claim == Claim::ByRoot { String::new() } else { app.claim.to_string() };
    match &app.kind {
        AppKind::Desktop { .. } => format!("{claim}desktop {}", app.id),
        AppKind::Flatpak => format!("{claim}flatpak {}", app.id),
        AppKind::Snap { command } if *command == app.id => format!("{claim}snap {}", app.id),
        AppKind::Snap { command } => format!("{claim}snap {}.{command}", app.id),
        AppKind::SnapHook { hook } => format!("{claim}snap {}.hook.{hook}", app.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4c8a1b2d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn of(path: &str) -> [String; 3] {
        let place = of_cgroup(path.as_bytes());
        [place.container, place.unit, place.app].map(|text| text.to_string())
    }

    #[test]
    fn the_systems_own_is_told_from_what_looks_like_it() {
        let docker = format!("docker-{ID}.scope");
        assert_eq!(of(&format!("/system.slice/{docker}"))[0], ID);
        let own = of(&format!("/user.slice/user-1000.slice/user@1000.service/{docker}"));
        assert_eq!(own[0], format!("user 1000/{ID}"));
        assert_eq!(of("/system.slice/nginx.service"), ["", "nginx.service", ""]);
        let realm = |path: &str| of_cgroup(path.as_bytes()).realm.to_string();
        assert_eq!(realm("/system.slice/nginx.service"), "");
    }

    #[test]
    fn applications_say_who_names_them() {
        let path = "/user.slice/user-1000.slice/user@1000.service/app.slice/\
                    app-flatpak-org.mozilla.firefox-123.scope";
        assert_eq!(of(path)[2], "user 1000/flatpak org.mozilla.firefox");
        assert_eq!(&*of_cgroup(path.as_bytes()).realm, "user 1000/flatpak org.mozilla.firefox");
    }

    #[test]
    fn an_app_image_is_known_by_its_mount() {
        let app = of_path(b"/tmp/.mount_KritaABCDEF/usr/bin/krita", None);
        assert_eq!(app.as_deref(), Some("appimage Krita"));
        assert_eq!(of_path(b"/usr/bin/krita", None), None);
    }
}
