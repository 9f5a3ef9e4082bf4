//! What a person should know, as long as it is so.

/// Warnings that stay on the screen.
const MOST: usize = 3;

/// What the daemon warns of.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    /// What its status has: all that there is to know of it.
    present: Vec<String>,
    /// What was told besides.
    told: Vec<String>,
}

impl Warnings {
    /// The status has these now; whether something is different.
    pub fn status(&mut self, present: Vec<String>) -> bool {
        let before = self.clone();
        // What the status has had goes with it.
        self.told.retain(|text| !self.present.contains(text) && !present.contains(text));
        self.present = present;
        !self.newest().eq(before.newest())
    }

    /// This was told; whether something is different.
    pub fn tell(&mut self, text: String) -> bool {
        if self.present.contains(&text) || self.told.contains(&text) {
            return false;
        }
        if self.told.len() >= MOST {
            self.told.remove(0);
        }
        self.told.push(text);
        true
    }

    /// Another daemon is there, which tells anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The newest, the oldest of them first; as they came: not made safe.
    pub fn newest(&self) -> impl Iterator<Item = &str> {
        let all = || self.present.iter().chain(&self.told);
        let is_first = move |nth: usize, text: &String| !all().take(nth).any(|it| it == text);
        let mut newest: Vec<&str> = all()
            .enumerate()
            .filter(|(nth, text)| is_first(*nth, text))
            .map(|(_, text)| text.as_str())
            .collect();
        newest.drain(..newest.len().saturating_sub(MOST));
        newest.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(warnings: &mut Warnings, present: &[&str]) -> bool {
        warnings.status(present.iter().map(|text| (*text).to_owned()).collect())
    }

    fn newest(warnings: &Warnings) -> Vec<&str> {
        warnings.newest().collect()
    }

    #[test]
    fn what_the_status_has_no_more_is_over() {
        let mut warnings = Warnings::default();
        assert!(warnings.tell("disk full".into()) && !warnings.tell("disk full".into()));
        assert!(!status(&mut warnings, &["disk full"]), "the same once");
        assert!(warnings.tell("too many readers".into()));
        assert_eq!(newest(&warnings), ["disk full", "too many readers"]);
        assert!(status(&mut warnings, &[]));
        assert_eq!(newest(&warnings), ["too many readers"], "which the status never had");
        warnings.clear();
        assert_eq!(newest(&warnings).len(), 0);
    }

    #[test]
    fn there_is_room_for_the_newest() {
        let mut warnings = Warnings::default();
        status(&mut warnings, &["1", "2", "2", "3", "4"]);
        assert_eq!(newest(&warnings), ["2", "3", "4"]);
        for n in 5..100 {
            warnings.tell(n.to_string());
        }
        assert_eq!(newest(&warnings), ["97", "98", "99"]);
        assert_eq!(warnings.told.len(), MOST);
    }
}
