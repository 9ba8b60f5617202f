import Diagnostics
import Files
public import Fingerprints
import GGUF
public import JSON
import NN
public import RandomStreams
import SafeTensors
public import Tensor

/// An encoder read from a folder.
public struct LoadedEncoder {
  public let model: EncoderModel
  /// The folder it came from, resolved.
  public let directory: String
  /// Of configuration and weights; see ``ModelStore/fingerprint(ofEncoder:)``.
  public let fingerprint: Fingerprint
  /// Tensors of heads for tasks, which an encoder does without.
  public let leftOut: [String]

  /// A sentence on what was left out; nil for nothing.
  public var notice: String? {
    guard let first = leftOut.first else { return nil }
    return
      "\(directory): \(leftOut.count) tensor\(leftOut.count == 1 ? "" : "s") such as \(first) left out: they belong to a"
      + " head for another task, which hidden states do not need"
  }
}

// Encoders on disk, in the layout of Hugging Face transformers, and fresh ones.

extension ModelStore {
  /// Whether a folder's `config.json` names a family of encoders; a GGUF file holds none.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  static func isEncoder(_ directory: String) throws -> Bool {
    if GGUFFile.isNamed(by: directory) { return false }
    let name = try document(configurationFile, in: directory).required("model_type").string()
    return EncoderFamily.all.contains { $0.name == name }
  }

  /// Reads an encoder from a folder (or from the local Hugging Face cache by its id), with or without a pooler, as a bare
  /// model or with heads for tasks, which are left out.
  ///
  /// - Parameters: as of ``load(_:training:precision:)``.
  /// - Throws: as ``load(_:training:precision:)``.
  public static func loadEncoder(
    _ pathOrHubID: String, training: ParameterSelection, precision: Precision = .fp32
  ) throws -> LoadedEncoder {
    let directory = try resolve(pathOrHubID)
    var blueprint = try encoderBlueprint(of: document(configurationFile, in: directory))
    let checkpoint = try checkpoint(in: directory)
    let pooler = blueprint.poolerKeys
    blueprint.configuration.hasPooler = checkpoint.tensors.keys.contains { $0.contains(pooler) }
    let weights = try WeightLoading(source: checkpoint, blueprint: blueprint, directory: directory)
    let matrices = precision == .fp32 ? [:] : try weights.matricesInBF16(but: training, rounding: true)
    let model = make(blueprint, training: training, matrices: matrices.mapValues(\.matrix))
    try weights.load(into: model.parameters)
    model.precision = precision
    return LoadedEncoder(
      model: model, directory: directory,
      fingerprint: fingerprint(
        model.configuration.raw, model.parameters.parameters, matrices: matrices.mapValues(\.fingerprint)),
      leftOut: weights.leftOut)
  }

  /// A fresh encoder of a `config.json`, with a pooler, initialised as transformers does: normal weights of standard
  /// deviation `initializer_range`, zero biases, unit gains.
  ///
  /// - Throws: a `Diagnostic` that names the field that is missing, malformed or not supported, and where the
  ///   parameters do not fit the machine's memory.
  public static func makeEncoder(
    _ configuration: JSONObject, stream: inout RandomStream, training: ParameterSelection
  ) throws -> EncoderModel {
    let config = JSONField(.object(configuration))
    let blueprint = try encoderBlueprint(of: config)
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let model = make(blueprint, training: training)
    model.parameters.initialize(&stream)
    return model
  }

  /// A smaller encoder that starts as chosen layers of another, in the given order, with its embeddings and, where it has one,
  /// its pooler.
  ///
  /// - Throws: a `Diagnostic` for no layers, or one the teacher does not have.
  public static func student(
    from teacher: EncoderModel, layers: [Int], training: ParameterSelection
  ) throws -> EncoderModel {
    var configuration = teacher.configuration.raw
    try check(layers, of: teacher.configuration.layerCount)
    let keys = try encoderBlueprint(of: JSONField(.object(configuration))).keys
    configuration[keys.layerCount] = JSONValue(layers.count)
    let config = JSONField(.object(configuration))
    var blueprint = try encoderBlueprint(of: config)
    blueprint.configuration.hasPooler = teacher.configuration.hasPooler
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let model = make(blueprint, training: training)
    let given = Dictionary(uniqueKeysWithValues: teacher.parameters.parameters.map { ($0.name, $0.value) })
    copy(layers, of: given, to: model.parameters, keys)
    return model
  }

  /// Writes an encoder as transformers reads it: `config.json` (every key kept, the stored type now float32, the class the
  /// family's without a head) and `model.safetensors`. The folder changes as a whole, as a decoder's does.
  ///
  /// - Parameter extraFiles: Paths of files to copy beside them, such as the tokenizer's.
  /// - Throws: a `Diagnostic` when a file cannot be read or written.
  public static func save(_ model: EncoderModel, to directory: String, extraFiles: [String] = []) throws {
    try save(model, to: directory, companions: extraFiles.map(Companion.init))
  }

  /// As ``save(_:to:extraFiles:)`` with files that have been read.
  public static func save(_ model: EncoderModel, to directory: String, companions: [Companion]) throws {
    let storage = WeightStorage.float32
    let tensors = tensors(model.parameters.parameters, storage: storage, owner: model)
    try StagedFolder.replace(in: directory, last: configurationFile, stale: SafeTensorsShards.isWeights) { folder in
      for file in companions { try File.write(file.bytes, to: "\(folder)/\(file.name)") }
      try write(tensors, storage: storage, to: folder, of: directory, onPiece: { _ in })
      let configuration = model.configuration
      try writeConfiguration(
        configuration.raw, storage.type, architecture: configuration.family.architecture, to: folder)
    }
  }

  /// As ``fingerprint(of:)`` of a causal language model.
  public static func fingerprint(ofEncoder model: EncoderModel) -> Fingerprint {
    fingerprint(model.configuration.raw, model.parameters.parameters, matrices: [:])
  }

  private static func make(
    _ blueprint: some EncoderBlueprint, training: ParameterSelection, matrices: [String: BFloat16Matrix] = [:]
  ) -> EncoderModel {
    let parameters = buffer(blueprint.specifications, training: training, matrices: matrices)
    return EncoderModel(blueprint.configuration, blueprint.layers(ParameterScope(parameters)), parameters)
  }
}
