import CXXHash

/// A fingerprint of bytes that come part by part: equal to ``Fingerprint/init(of:)-([UInt8])`` of all of them.
@safe public final class FingerprintStream {
  private let state: OpaquePointer

  public init() {
    unsafe state = XXH3_createState()!
    unsafe XXH3_128bits_reset(state)
  }

  deinit { unsafe XXH3_freeState(state) }

  /// Adds bytes after those before.
  public func append(_ bytes: [UInt8]) {
    _ = unsafe bytes.withUnsafeBytes { unsafe XXH3_128bits_update(state, $0.baseAddress, $0.count) }
  }

  /// Adds bytes after those before.
  public func append(_ bytes: UnsafeRawBufferPointer) {
    _ = unsafe XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
  }

  /// The fingerprint of what has come so far.
  public var fingerprint: Fingerprint {
    let hash = unsafe XXH3_128bits_digest(state)
    return Fingerprint(high: hash.high64, low: hash.low64)
  }
}
