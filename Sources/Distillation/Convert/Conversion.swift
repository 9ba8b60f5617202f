import Configuration
import Diagnostics
import Files
import Fingerprints
public import Models
public import Provenance
import Telemetry

/// Writes a model as a folder that transformers loads: its configuration, weights in a chosen type and cut, generation
/// settings, tokenizer and chat template.
///
/// No more is held than the weights once. The folder holds the whole model or is refused as one without a configuration,
/// whenever the process ends; run again, it starts over.
public struct Conversion: Stage {
  /// The type of the weights that are written.
  public enum DType: String, Sendable, CaseIterable, Codable {
    /// Of each tensor the one that it was loaded from.
    case auto
    case float32, bfloat16, float16, float64
  }

  public var model: String
  /// The folder to write.
  public var output: String
  public var dtype = DType.auto
  /// The size of a file from which on the weights are cut into several.
  public var maximumShardSize = ShardSize(bytes: 5_000_000_000)

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    /// Names of the folder's files, in byte order.
    public var files: [String]
    /// Bytes of all of them.
    public var bytes: Int
    /// What `config.json` calls the type of the weights.
    public var dtype: String?
    /// Elements of the weights.
    public var parameters: Int
    /// False where an earlier run had written it.
    public var isNew: Bool

    init(_ found: ModelInventory, isNew: Bool) {
      (files, bytes, dtype, parameters) = (found.files, found.bytes, found.dtype, found.parameters)
      self.isNew = isNew
    }
  }

  public init(model: String, output: String) {
    self.model = model
    self.output = output
  }

  /// Writes the folder, unless it was written from the same model with the same settings before.
  ///
  /// - Throws: a `Diagnostic` where the model cannot be read, the folder holds something else or is the model's own, or a
  ///   weight is beyond the type; `Interrupted` where a signal came, and nothing is kept then.
  public func run() throws -> Outcome {
    let source = try ModelStore.resolve(model)
    let now = try Interruption.endingAtOnce { try provenance(of: source) }
    if let inventory = try finished(now, source: source) {
      Log.info("\(output): is there already")
      return Outcome(inventory, isNew: false)
    }
    let loaded = try Interruption.endingAtOnce { try ModelStore.loadAsStored(source) }
    try write(loaded, madeFrom: now)
    Log.info("memory: \(Readable.mebibytes(ProcessMemory.peak)) MiB at its peak")
    return Outcome(try ModelInventory(of: output), isNew: true)
  }

  private var marker: String { "\(output)/made_from.json" }
  private var configuration: String { "\(output)/config.json" }
  private var lock: String { "\(output)/.lock" }

  private func provenance(of source: String) throws -> Provenance {
    var made = Provenance()
    made.pin("model", try Fingerprint(ofModelFolder: source), place: source)
    made.pin("dtype", dtype.rawValue)
    made.pin("max_shard_size", maximumShardSize.description)
    return made
  }

  /// What an earlier run has written; nil where there is no folder yet, an empty one, or what a run left that did not come
  /// to its end.
  ///
  /// - Throws: a `Diagnostic` where the folder holds anything else.
  private func finished(_ now: Provenance, source: String) throws -> ModelInventory? {
    guard let place = FileIdentity(at: output)?.place else { return nil }
    guard place != FileIdentity(at: source)?.place else {
      throw Diagnostic.input(
        "is the model's own folder", file: output, field: "output", remedy: "name another folder with `output`")
    }
    try File.makeFolder(output)
    guard let then = try Provenance(path: marker) else {
      let own = try [lock] + File.leftovers(of: marker)
      guard let other = try File.list(output).first(where: { !own.contains("\(output)/\($0)") }) else { return nil }
      throw Diagnostic.input(
        "the folder holds something else: \(other)", file: output, field: "output",
        remedy: "name another folder with `output`, or remove this one")
    }
    guard File.exists(configuration) else { return nil }
    try then.check(now, file: marker, remedy: "choose another `output`, or remove the folder")
    return try? ModelInventory(of: output)
  }

  private func write(_ loaded: LoadedModel, madeFrom now: Provenance) throws {
    let hadFolder = File.exists(output)
    try File.makeFolder(output)
    let held = try FileLock(path: lock, owner: "the folder \(output)")
    defer {
      try? File.remove(lock)
      withExtendedLifetime(held) {}
    }
    do {
      // Of a run that was killed in this very place.
      for leftover in try File.leftovers(of: marker) { try File.remove(leftover) }
      try now.write(to: marker)
      try save(loaded)
    } catch {
      if !File.exists(configuration) { try? File.remove(hadFolder ? marker : output) }
      throw error
    }
  }

  private func save(_ loaded: LoadedModel) throws {
    var storage = StoredType(rawValue: dtype.rawValue).map { WeightStorage($0) } ?? loaded.storage
    storage.maximumShardSize = maximumShardSize
    let total = ModelStore.savedBytes(of: loaded.model, storage: storage)
    let progress = Progress("convert", total: total, unit: "bytes")
    try ModelStore.save(
      loaded.model, to: output, companions: ModelStore.companions(in: loaded.directory), storage: storage
    ) { bytes in
      try Interruption.check()
      progress.advance(by: bytes)
    }
    progress.finish()
  }
}

// MARK: - As a stage

extension Conversion {
  public static let name = "convert"
  public static let filled = [(key: "output", value: FilledValue.entry("model"))]

  public var productIsThere: Bool { File.exists(configuration) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("model", model: model)
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case model, output, dtype
    case maximumShardSize = "max_shard_size"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(model: try keys.decode(.model), output: try keys.decode(.output))
    dtype = try keys.decode(.dtype, default: dtype)
    maximumShardSize = try keys.decode(.maximumShardSize, default: maximumShardSize)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(model, forKey: .model)
    try keys.encode(output, forKey: .output)
    try keys.encode(dtype, forKey: .dtype)
    try keys.encode(maximumShardSize, forKey: .maximumShardSize)
  }

  /// Refuses nothing: no value of these is out of bounds.
  public func validate() {}
}
