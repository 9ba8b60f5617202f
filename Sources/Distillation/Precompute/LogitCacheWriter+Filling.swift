import LogitCache
import Samples
import Telemetry
import Tensor

/// What whoever fills a cache does first, a stage of its own or a run beside its steps.
extension LogitCacheWriter {
  /// The samples' keys, and their order recorded in the cache where it is not there yet.
  func planned(_ samples: SampleIndex) throws -> SampleKeys {
    // A plan that cannot be read is replaced as any other.
    if let keys = try? SampleKeys(samples, in: cache), keys.isPlanned { return keys }
    let keys = SampleKeys(samples, in: manifest)
    try setPlan(of: samples.fingerprint) { plan in try keys.forEach { try plan.append($2) } }
    return keys
  }

  /// Tells of a cache that other kernels began, or may have.
  func announceKernels() throws {
    if manifest.formatVersion == 1, try cache.count > 0 {
      Log.warning(
        "\(cache.directory): its format, version 1, does not say which kernels made a sample, and it may have been begun "
          + "with others than \(Engine.variant); decant cache upgrade gives it one that does")
    }
    if kernels > 0 {
      Log.warning(
        "\(cache.directory): begun with \(manifest.kernels[0]), gone on with \(manifest.kernels[kernels]): these round "
          + "differently; each sample says which of them made it")
    }
  }
}
