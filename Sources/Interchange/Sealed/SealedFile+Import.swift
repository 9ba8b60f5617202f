import LogitCache
public import TeacherSignal

extension SealedFile {
  /// Brings every sample into a cache, under the key that it had where it came from one; those that are there are passed over.
  ///
  /// - Parameters:
  ///   - directory: Of the cache; made where missing.
  ///   - codec: How records are written; nil for the codec that the file came from. Only ``SignalCodec/exact`` keeps every bit
  ///     of the numbers: ``SignalCodec/compact`` rounds what it has rounded before a second time, within the same bound.
  ///   - check: Called between samples; what it throws ends the work. What was kept stays.
  /// - Throws: a `Diagnostic` where the cache is of another teacher, tokenizer or codec, or the signals lie one place off.
  public func add(
    to directory: String, codec: SignalCodec? = nil, check: @escaping () throws -> Void = {},
    onBatch: @escaping @Sendable (_ samples: Int, _ positions: Int) -> Void = { _, _ in }
  ) throws -> CacheImport.Outcome {
    var manifest = manifest
    manifest.codec = codec ?? manifest.codec
    return try CacheImport.keep(
      Samples(self), in: LogitCacheWriter(directory: directory, manifest: manifest), file: path, check, onBatch)
  }

  /// The samples, one after the other.
  private final class Samples: SignalSource {
    private let file: SealedFile
    private var index = 0

    init(_ file: SealedFile) { self.file = file }

    func next() throws -> ScoredSample? {
      guard index < file.count else { return nil }
      defer { index += 1 }
      return try file.sample(index)
    }
  }
}
