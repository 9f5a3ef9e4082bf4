//! What `femtosnitch status --json` says.

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

/// Programs of the BPF object that are attached.
///
/// # Errors
/// If the status has no hooks.
pub fn attached(status: &Value) -> Result<Vec<String>> {
    let hooks = status.get("hooks").and_then(Value::as_array).context("no hooks")?;
    let text = |hook: &Value, key| hook.get(key).and_then(Value::as_str).map(str::to_owned);
    let attached = hooks.iter().filter(|hook| text(hook, "state").as_deref() == Some("attached"));
    Ok(attached.filter_map(|hook| text(hook, "program")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_attached_programs_are_named() {
        let status = json!({"hooks": [
            {"program": "fs_send", "state": "attached"},
            {"program": "fs_received", "state": "refused"},
        ]});
        assert_eq!(attached(&status).unwrap(), ["fs_send"]);
        assert!(attached(&json!({})).is_err());
    }
}
