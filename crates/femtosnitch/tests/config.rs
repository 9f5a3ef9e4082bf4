//! Whole configuration files: each one below `config/valid` must be read, each one below
//! `config/invalid` must yield exactly the problems in the `.expected` file beside it.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]

use std::fs;
use std::path::{Path, PathBuf};

use femtosnitch::config::{Config, ConfigError};

/// What is wrong with the folder, file by file; the harness itself is tested below.
fn judge_invalid(dir: &Path) -> Vec<String> {
    let mut failures = Vec::new();
    let files = configs(dir);
    if files.is_empty() {
        failures.push(format!("{}: no files", dir.display()));
    }
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let said = match Config::load_file(&file) {
            Ok(config) => {
                failures.push(format!("{name}: was read: {config:?}"));
                continue;
            }
            Err(error @ ConfigError::Invalid { .. }) => {
                error.to_string().replace(&format!("{}/", dir.display()), "")
            }
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        let expected = match fs::read_to_string(dir.join(format!("{name}.expected"))) {
            Ok(expected) => expected,
            Err(error) => format!("no {name}.expected: {error}"),
        };
        if said != expected.trim_end() {
            failures.push(format!("{name}: said\n{said}\nbut expected is\n{expected}"));
        }
    }
    failures
}

/// The configurations in a folder, by name.
fn configs(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml" || end == "json"))
        .collect();
    files.sort();
    files
}

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

#[test]
fn invalid_files_say_all_that_is_wrong() {
    let failures = judge_invalid(&fixtures("invalid"));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn valid_files_mean_the_same_in_toml_and_json() {
    let files = configs(&fixtures("valid"));
    let toml: Vec<_> = files.iter().filter(|path| path.extension().unwrap() == "toml").collect();
    assert_eq!(toml.len() * 2, files.len(), "each file has a twin in the other format");
    assert!(toml.len() >= 4, "fixtures were found");
    for file in toml {
        let one = Config::load_file(file).unwrap();
        let other = Config::load_file(&file.with_extension("json")).unwrap();
        assert_eq!(one, other, "{}", file.display());
        let empty = file.file_stem().unwrap() == "empty";
        assert_eq!(one == Config::default(), empty, "{}", file.display());
    }
}

#[test]
fn the_harness_can_fail() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    assert_eq!(judge_invalid(dir.path()).len(), 1, "an empty folder");
    put("fine.toml", "");
    put("fine.toml.expected", "fine.toml: 1 problem");
    put("bad.toml", "x = 1");
    put("bad.toml.expected", "bad.toml: 1 problem\nbad.toml:1: y: unknown");
    put("lonely.toml", "x = 1");
    let failures = judge_invalid(dir.path());
    let told: Vec<&str> = failures.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(told, ["bad.toml", "fine.toml", "lonely.toml"]);
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.toml");
    for path in [missing.as_path(), dir.path(), Path::new("/dev/zero")] {
        let error = Config::load_file(path).unwrap_err();
        assert!(matches!(error, ConfigError::Read { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    let huge = dir.path().join("huge.toml");
    fs::File::create(&huge).unwrap().set_len(1 << 33).unwrap();
    assert!(Config::load_file(&huge).unwrap_err().to_string().contains("larger than"));
}
