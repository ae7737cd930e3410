//! Locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Takes a lock, also one whose last holder has panicked. What is behind such locks is whole after
/// each of its changes, and nobody else shall go down with whoever panicked.
pub trait LockAnyway<T: ?Sized> {
    /// Takes the lock of a mutex.
    fn lock_anyway(&self) -> MutexGuard<'_, T>;
}

impl<T: ?Sized> LockAnyway<T> for Mutex<T> {
    fn lock_anyway(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same for locks with many readers.
pub trait ReadWriteAnyway<T: ?Sized> {
    /// Takes the lock to read.
    fn read_anyway(&self) -> RwLockReadGuard<'_, T>;

    /// Takes the lock to write.
    fn write_anyway(&self) -> RwLockWriteGuard<'_, T>;
}

impl<T: ?Sized> ReadWriteAnyway<T> for RwLock<T> {
    fn read_anyway(&self) -> RwLockReadGuard<'_, T> {
        self.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_anyway(&self) -> RwLockWriteGuard<'_, T> {
        self.write().unwrap_or_else(PoisonError::into_inner)
    }
}
