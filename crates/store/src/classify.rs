//! Which kind of trouble an SQLite error is.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::StoreError;

/// Result of an SQLite call.
pub(crate) type Sql<T> = rusqlite::Result<T>;

/// Turns SQLite errors into ours, which need to know the file they speak of.
pub(crate) trait At<T> {
    /// The same result, its error naming `path`.
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for Sql<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| classify(path, &error))
    }
}

pub(crate) fn classify(path: &Path, error: &rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    let path = path.to_owned();
    let Some(sqlite) = error.sqlite_error() else {
        return match error {
            // A column held something that STRICT tables cannot hold.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Corrupt { path, reason },
            _ => StoreError::Internal { path, reason },
        };
    };
    match sqlite.code {
        ErrorCode::DiskFull => StoreError::Full { path, reason },
        // The shared-memory file could not grow: in practice a full disk.
        ErrorCode::SystemIoFailure if sqlite.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::Full { path, reason }
        }
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => StoreError::Busy { path, reason },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Corrupt { path, reason }
        }
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
            StoreError::Permission { path, reason }
        }
        ErrorCode::CannotOpen => match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                StoreError::Missing { path }
            }
            Err(error) => StoreError::from_io(path, &error),
            // The file is there: the directory, -wal or -shm may not be used.
            Ok(_) => StoreError::Permission { path, reason },
        },
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => StoreError::Io { path, reason },
        _ => StoreError::Internal { path, reason },
    }
}
