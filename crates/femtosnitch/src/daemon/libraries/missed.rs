//! Programs that ended before anybody could look at what they had mapped: looked at again the next
//! time they are executed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use femtosnitch_model::FileId;

/// Programs remembered. Beyond, further ones are not.
const MAX: usize = 1_024;

/// How often one is looked at in vain: whatever ends so quickly is not worth more.
const TRIES: u8 = 16;

/// How many times events are read at once after one was missed, rather than gathered first: it may
/// be among the next programs that are executed.
const HURRY: u32 = 64;

/// Device and inode of an executable.
pub(super) type Program = (u64, u64);

/// See the module's documentation. Between the capture thread and that of the libraries.
#[derive(Debug, Default)]
pub(super) struct Missed {
    any: AtomicBool,
    hurry: AtomicU32,
    programs: Mutex<HashMap<Program, Tries>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tries {
    made: u8,
    /// It is to be looked at when it is executed next.
    due: bool,
}

impl Missed {
    /// It was gone before it could be looked at.
    pub(super) fn note(&self, program: Program) {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if programs.len() >= MAX && !programs.contains_key(&program) {
            return;
        }
        let tries = programs.entry(program).or_default();
        tries.made = tries.made.saturating_add(1);
        tries.due = tries.made < TRIES;
        if tries.due {
            self.any.store(true, Ordering::Release);
            self.hurry.store(HURRY, Ordering::Relaxed);
        }
    }

    /// Whether to read events at once this time. Not for ever: nobody may execute it again.
    pub(super) fn is_in_a_hurry(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.any.load(Ordering::Acquire)
            && self.hurry.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// It was looked at, whatever was found.
    pub(super) fn forget(&self, program: Program) {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.remove(&program);
    }

    /// Whether to look at this program, which was just executed. Costs one load while there is none.
    pub(super) fn is_due(&self, file: Option<FileId>) -> Option<Program> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let program = file.map(|file| (file.dev, file.ino))?;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let due = programs.get_mut(&program).is_some_and(|it| std::mem::take(&mut it.due));
        let any = programs.values().any(|it| it.due);
        self.any.store(any, Ordering::Release);
        due.then_some(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_always_too_quick_is_given_up() {
        let missed = Missed::default();
        let file = |ino| Some(FileId { dev: 1, ino, ..FileId::default() });
        assert_eq!(missed.is_due(file(7)), None);
        let mut looks = 0;
        for _ in 0..100 {
            missed.note((1, 7));
            looks += u32::from(missed.is_due(file(7)).is_some());
            assert_eq!(missed.is_due(file(7)), None, "once for each time that it was missed");
        }
        assert_eq!(looks, u32::from(TRIES) - 1);
        assert!(!missed.is_in_a_hurry(), "nothing is due");
        missed.note((1, 8));
        assert_eq!((0..1_000).filter(|_| missed.is_in_a_hurry()).count(), HURRY as usize);
        assert_eq!(missed.is_due(file(9)), None);
        assert_eq!(missed.is_due(file(8)), Some((1, 8)));
        missed.forget((1, 8));
        assert_eq!((missed.is_due(file(8)), missed.is_due(None)), (None, None));
        for ino in 0..5_000 {
            missed.note((2, ino));
        }
        assert!(missed.programs.lock().unwrap().len() <= MAX);
    }
}
