import Glibc

/// A value that threads change one at a time, and whose changes they can wait for.
@safe package final class Monitor<Value: Sendable>: @unchecked Sendable {
  // Sendable: the value is touched only while the lock is held, and the addresses never change.
  private var value: Value
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init(_ value: Value) {
    self.value = value
    unsafe pthread_mutex_init(lock, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(lock)
    unsafe changed.deallocate()
    unsafe lock.deallocate()
  }

  /// Waits until the value fulfils the condition, then runs `body` on it before any other thread can change it.
  package func when<Output>(_ condition: (Value) -> Bool, _ body: (inout Value) throws -> Output) rethrows -> Output {
    unsafe pthread_mutex_lock(lock)
    defer {
      // Also where the body threw: it may have changed the value before.
      unsafe pthread_cond_broadcast(changed)
      unsafe pthread_mutex_unlock(lock)
    }
    while !condition(value) { unsafe pthread_cond_wait(changed, lock) }
    return try body(&value)
  }
}
