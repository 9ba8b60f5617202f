import Diagnostics
import Files
public import Fingerprints
import GGUF
import Glibc
public import JSON
public import RandomStreams
import SafeTensors
public import Tensor

/// A model read from a folder or a GGUF file.
public struct LoadedModel {
  public let model: any CausalLanguageModel
  /// The folder or the GGUF file it came from, resolved.
  public let directory: String
  /// Of configuration and weights; see ``ModelStore/fingerprint(of:)``.
  public let fingerprint: Fingerprint
  /// The types that its weights are stored in there, for a copy that gives them back; fp32 for those that are stored in a
  /// way that it is not written in.
  public let storage: WeightStorage
}

/// Models on disk, in the layout of Hugging Face transformers, and fresh ones.
public enum ModelStore {
  /// Reads a model from a folder (or from the local Hugging Face cache by its id): `config.json` and
  /// `model.safetensors` or its shards, of any floating-point type; weights become fp32. Or from a GGUF file, quantised or
  /// not, as the model of transformers that it was made from: its weights are unpacked here, in fp32 each at once into its
  /// place, in bf16 one matrix after the other by way of fp32, so that at most one is held in both.
  ///
  /// - Parameters:
  ///   - training: The parameters that get gradients.
  ///   - precision: Of the model's matrix products. In bf16, matrices that do not train are held in bf16 too, and stay in
  ///     the file where that holds them so.
  /// - Throws: a `Diagnostic` that names the field or tensor that is missing, malformed, not finite or not supported, or
  ///   the checksum that the weights of a checkpoint should have.
  public static func load(
    _ pathOrHubID: String, training: ParameterSelection, precision: Precision = .fp32
  ) throws -> LoadedModel {
    try load(pathOrHubID, training: training, precision: precision, rounding: precision == .bf16)
  }

  /// Reads a model to be written again, in another type or other files: nothing of it trains, and no number is rounded but
  /// those of F64. Matrices of bf16 stay in their file; what is stored in another type is held in fp32, once.
  ///
  /// - Throws: as ``load(_:training:precision:)``.
  public static func loadAsStored(_ pathOrHubID: String) throws -> LoadedModel {
    try load(pathOrHubID, training: .none, precision: .bf16, rounding: false)
  }

  /// - Parameter rounding: Whether matrices of other types are rounded to bf16, in bf16.
  private static func load(
    _ pathOrHubID: String, training: ParameterSelection, precision: Precision, rounding: Bool
  ) throws -> LoadedModel {
    let directory = try resolve(pathOrHubID)
    let gguf = try GGUFFile.isNamed(by: directory) ? GGUFModel(GGUFFile(path: directory)) : nil
    let blueprint = try plan(in: directory, gguf)
    let weights = try WeightLoading(
      source: gguf?.weights ?? checkpoint(in: directory), blueprint: blueprint, directory: directory)
    let matrices = precision == .fp32 ? [:] : try weights.matricesInBF16(but: training, rounding: rounding)
    let model = make(blueprint, training: training, matrices: matrices.mapValues(\.matrix))
    try weights.load(into: model.parameters)
    model.precision = precision
    return LoadedModel(
      model: model, directory: directory,
      fingerprint: fingerprint(of: model, matrices: matrices.mapValues(\.fingerprint)),
      storage: WeightStorage(.float32, types: weights.storedTypes))
  }

  /// What a model's files say of it, without its weights.
  ///
  /// - Parameter place: The folder or the GGUF file.
  /// - Throws: a `Diagnostic` that names the field that is missing, malformed or not supported.
  public static func configuration(in place: String) throws -> ModelConfiguration {
    let gguf = try GGUFFile.isNamed(by: place) ? GGUFModel(GGUFFile(path: place)) : nil
    return try plan(in: place, gguf).configuration
  }

  /// The ids that end a text by what a folder says beside its tokenizer: `generation_config.json`, else `config.json`, of a
  /// model of whatever family, whose weights need not be there; empty where neither says any.
  ///
  /// - Throws: a `Diagnostic` for what is no id of the vocabulary.
  public static func ends(in place: String, vocabularySize: Int) throws -> [Int32] {
    guard !GGUFFile.isNamed(by: place) else { return try configuration(in: place).eosTokenIDs }
    for name in ["generation_config.json", configurationFile] where File.exists("\(place)/\(name)") {
      let special = try ModelConfiguration.specialTokens(
        document(name, in: place), vocabularySize: vocabularySize)
      if let ends = special.eos { return ends }
    }
    return []
  }

  private static func plan(in directory: String, _ gguf: GGUFModel?) throws -> any ModelBlueprint {
    var blueprint = try blueprint(of: gguf?.configuration ?? document(configurationFile, in: directory))
    if File.exists("\(directory)/generation_config.json") {
      let generation = try document("generation_config.json", in: directory)
      let vocabularySize = blueprint.configuration.vocabularySize
      let special = try ModelConfiguration.specialTokens(generation, vocabularySize: vocabularySize)
      blueprint.configuration.suppressedTokenIDs = try ModelConfiguration.suppressedTokens(
        generation, vocabulary: vocabularySize)
      blueprint.configuration.eosTokenIDs = special.eos ?? blueprint.configuration.eosTokenIDs
    }
    return blueprint
  }

  /// The model folder or the GGUF file that a path or a hub id stands for. Whatever reads a model, its tokenizer or its
  /// other files takes either.
  ///
  /// - Throws: a `Diagnostic` with the download command for an id the local Hugging Face cache does not hold, and for a
  ///   folder that holds nothing but several GGUF files.
  public static func resolve(_ pathOrHubID: String) throws -> String {
    if GGUFFile.isNamed(by: pathOrHubID) {
      guard File.exists(pathOrHubID) else {
        throw Diagnostic.input("there is no such file", file: pathOrHubID, remedy: "name a GGUF file or a model folder")
      }
      return pathOrHubID
    }
    let folder = try HubCache.resolve(pathOrHubID, cache: HubCache.folder)
    return try GGUFFile.only(in: folder) ?? folder
  }

  /// A fresh model of a `config.json`, initialised as transformers does: normal weights of standard deviation
  /// `initializer_range` (GPT-2's residual projections over the square root of twice the layers), zero biases, unit
  /// gains.
  ///
  /// - Throws: a `Diagnostic` that names the field that is missing, malformed or not supported, and where the
  ///   parameters do not fit the machine's memory.
  public static func make(
    _ configuration: JSONObject, stream: inout RandomStream, training: ParameterSelection
  ) throws -> any CausalLanguageModel {
    let config = JSONField(.object(configuration))
    let blueprint = try blueprint(of: config)
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let model = make(blueprint, training: training)
    model.parameters.initialize(&stream)
    return model
  }

  /// A copy of a model whose matrices are rounded to bf16 and whose products are bf16 ones: half the memory, and no
  /// training.
  public static func roundedToBF16(_ model: any CausalLanguageModel) throws -> any CausalLanguageModel {
    try requireUnadapted(model, to: "be rounded")
    let blueprint = try plan(of: model)
    let rounded = blueprint.build(model.parameters.roundedToBF16())
    rounded.precision = .bf16
    return rounded
  }

  /// A smaller model that starts as chosen layers of another, in the given order, with its embeddings, head and final
  /// norm (as DistilBERT does; Sanh et al., arXiv 1910.01108).
  ///
  /// - Throws: a `Diagnostic` for no layers, or one the teacher does not have.
  public static func student(
    from teacher: any CausalLanguageModel, layers: [Int], training: ParameterSelection
  ) throws -> any CausalLanguageModel {
    try check(layers, of: teacher.configuration.layerCount)
    let original = try plan(of: teacher)
    let config = JSONField(.object(taking(layers, of: original)))
    let blueprint = try blueprint(of: config)
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let model = make(blueprint, training: training)
    // What the teacher's generation settings say, which its config.json need not.
    model.configuration.take(ends: teacher.configuration)
    copy(layers, of: values(of: teacher), to: model.parameters, original.keys)
    return model
  }

  /// Refuses layers that a teacher of `count` does not have.
  static func check(_ layers: [Int], of count: Int) throws {
    guard !layers.isEmpty, layers.allSatisfy((0..<count).contains) else {
      throw Diagnostic.input(
        "layers \(layers) cannot be taken from a teacher of \(count)", remedy: "name layers from 0 to \(count - 1)")
    }
  }

  /// Fills the parameters of a student with a teacher's values: its layer `i` with layer `layers[i]`.
  static func copy(
    _ layers: [Int], of teacher: [String: Tensor], to student: ParameterBuffer, _ keys: CheckpointKeys
  ) {
    for parameter in student.parameters {
      let source = keys.layer(of: parameter.name).map { "\(keys.layers)\(layers[$0.index])\($0.rest)" }
      parameter.value.copy(from: teacher[source ?? parameter.name]!)
    }
  }

  /// The `config.json` of a model of some layers of another one, in the given order.
  static func taking(_ layers: [Int], of original: any ModelBlueprint) -> JSONObject {
    var configuration = original.configuration.raw
    configuration[original.keys.layerCount] = JSONValue(layers.count)
    for list in original.layerLists { configuration[list.key] = .array(layers.map { list.values[$0] }) }
    return configuration
  }

  /// A model's values, by the names that they are saved by.
  static func values(of model: any CausalLanguageModel) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: model.savedParameters.map { ($0.name, $0.value) })
  }

  /// The blueprint of a model that is there.
  static func plan(of model: any CausalLanguageModel) throws -> any ModelBlueprint {
    let whole = try blueprint(of: JSONField(.object(model.configuration.raw)))
    return try model.sharing.map { try SharedBlueprint(whole, $0) } ?? whole
  }

  /// Bytes of memory that the machine has.
  static var machineMemory: Int {
    let (bytes, overflows) = sysconf(Int32(_SC_PHYS_PAGES)).multipliedReportingOverflow(
      by: sysconf(Int32(_SC_PAGESIZE)))
    return overflows || bytes <= 0 ? .max : bytes
  }

  /// A fingerprint of what a model computes with: its `config.json` but for the keys that only tell how it was stored,
  /// and the name, shape and fp32 bytes of every parameter, those of adapters too. So it is the same for one file,
  /// for shards, for a stored type that fp32 holds exactly, and for layers used twice and the copies that are saved of them.
  public static func fingerprint(of model: any CausalLanguageModel) -> Fingerprint {
    fingerprint(of: model, matrices: [:])
  }

  private static func fingerprint(
    of model: any CausalLanguageModel, matrices: [String: Fingerprint]
  ) -> Fingerprint {
    fingerprint(
      model.configuration.raw, model.savedParameters + (model.adapters?.parameters ?? []), matrices: matrices)
  }

  /// - Parameter matrices: Fingerprints of the matrices as they were before they were rounded.
  static func fingerprint(
    _ configuration: JSONObject, _ parameters: [Parameter], matrices: [String: Fingerprint]
  ) -> Fingerprint {
    var configuration = configuration
    for key in ["architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path"] {
      configuration[key] = nil
    }
    var bytes = Fingerprint(of: JSONValue.object(configuration).serialized()).bytes
    for parameter in parameters {
      // Such as `lm_head.weight [300, 16]`.
      let shape = parameter.shape.map(String.init).joined(separator: ", ")
      bytes += Fingerprint(of: "\(parameter.name) [\(shape)]").bytes
      bytes += (matrices[parameter.name] ?? fingerprint(of: parameter.weights)).bytes
    }
    return Fingerprint(of: bytes)
  }

  private static func fingerprint(of weights: Weights) -> Fingerprint {
    switch weights {
    case .fp32(let tensor): Fingerprint(ofValues: tensor)
    case .bf16(let matrix): matrix.fingerprint
    }
  }

  static func make(
    _ blueprint: some ModelBlueprint, training: ParameterSelection, matrices: [String: BFloat16Matrix] = [:]
  ) -> any CausalLanguageModel {
    blueprint.build(buffer(blueprint.specifications, training: training, matrices: matrices))
  }

  /// Memory for parameters, and for the gradients of those that train.
  static func buffer(
    _ specifications: [ParameterSpecification], training: ParameterSelection, matrices: [String: BFloat16Matrix]
  ) -> ParameterBuffer {
    let parameters = ParameterBuffer(specifications, matrices: matrices)
    if specifications.contains(where: training.contains) { parameters.allocateGradients(for: training) }
    return parameters
  }

  static func document(_ name: String, in directory: String) throws -> JSONField {
    let path = "\(directory)/\(name)"
    return JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
  }

  static func checkpoint(in directory: String) throws -> SafeTensorsCheckpoint {
    try refusePickled(in: directory)
    try FolderChecksums.verifyWeights(in: directory)
    return try SafeTensorsCheckpoint(directory: directory)
  }

  /// Says how to convert weights that are there in another format.
  private static func refusePickled(in directory: String) throws {
    let names = try File.list(directory)
    if names.contains(where: { $0.hasPrefix("model.safetensors") }) { return }
    guard let pickled = names.first(where: { [".bin", ".pt", ".pth"].contains(where: $0.hasSuffix) }) else { return }
    throw Diagnostic.input(
      "holds its weights as \(pickled), not as safetensors", file: directory,
      remedy: "load the model in transformers and save it with save_pretrained")
  }
}
