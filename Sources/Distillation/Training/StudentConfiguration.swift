public import Configuration
import Diagnostics
import Files
import JSON
import Models
import RandomStreams
import Tensor

/// What the student starts from: exactly one of `from`, `config` and `layers`.
public struct StudentConfiguration: Sendable, Codable {
  /// A model directory or hub id whose weights the student starts from.
  public var from: String?
  /// A `config.json` to initialise at random: its path, or its keys in place.
  public var config: FreeForm?
  /// Layers of the teacher, in order, that the student is made of; embeddings, final norm and head come along.
  public var layers: [Int]?
  /// How its layers are used twice; nil where each is used once.
  public var share: SharingConfiguration?
  /// Folder of the tokenizer, where it is not the one of `from` or of the teacher.
  public var tokenizer: String?

  private enum CodingKeys: String, CodingKey { case from, config, layers, share, tokenizer }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    from = try keys.decodeIfPresent(String.self, forKey: .from)
    config = try keys.decodeIfPresent(FreeForm.self, forKey: .config)
    layers = try keys.decodeIfPresent([Int].self, forKey: .layers)
    share = try keys.decodeIfPresent(SharingConfiguration.self, forKey: .share)
    tokenizer = try keys.decodeIfPresent(String.self, forKey: .tokenizer)
    try keys.checked(validate)
  }

  /// Checks that there is exactly one start.
  func validate() throws {
    guard [from != nil, config != nil, layers != nil].count(where: \.self) == 1 else {
      throw Diagnostic.input("give exactly one of `from`, `config` and `layers`")
    }
    if let share { try CodingKeys.share.within(share.validate) }
  }
}

extension StudentConfiguration {
  /// A fresh model of `config`, by its place in the configuration where a key does not fit.
  ///
  /// - Parameters:
  ///   - role: The section that this is.
  ///   - make: Makes a model of the keys of a `config.json`, initialised from a stream.
  /// - Throws: a `Diagnostic` where `config` is neither a path nor keys, and what `make` does.
  func fresh<Model>(
    seed: UInt64, as role: String = "student", _ make: (JSONObject, inout RandomStream) throws -> Model
  ) throws -> Model {
    let given = config?.value ?? .null, object = try Self.keys(given, role)
    let name = role == "student" ? "initialization" : "initialization of the \(role)"
    var stream = RandomStream(seed: seed, name: name)
    do { return try make(object, &stream) } catch let fault as Diagnostic {
      if fault.field == Self.shareField { throw fault }
      if let path = given.stringValue { throw fault.located(file: path) }
      var inPlace = fault
      inPlace.field = (["\(role).config"] + (fault.field.map { [$0] } ?? [])).joined(separator: ".")
      throw inPlace
    }
  }

  /// The keys of a `config.json`, given in place or as a path.
  private static func keys(_ given: JSONValue, _ role: String) throws -> JSONObject {
    if let object = given.objectValue { return object }
    guard let path = given.stringValue else {
      throw Diagnostic.input(
        "is neither a path nor the keys of a config.json", field: "\(role).config", remedy: "name a model's config.json"
      )
    }
    guard let object = try JSONValue.parse(File.read(path), file: path).objectValue else {
      throw Diagnostic.input("is not a JSON object", file: path, remedy: "name a model's config.json")
    }
    return object
  }
}

/// Layers that the student uses twice (Pea-KD, arXiv 2009.14822). What it starts from has so many layers, or, in `from`, is what a
/// run with the same keys saved: twice as many, the upper half a copy of the lower one.
public struct SharingConfiguration: Sendable, Codable {
  /// How many layers there are.
  public var layers: Int
  /// Whether queries and keys are exchanged in the second use.
  public var swap = true

  private enum CodingKeys: String, CodingKey { case layers, swap }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    layers = try keys.decode(Int.self, forKey: .layers)
    swap = try keys.decode(.swap, default: swap)
    try keys.checked(validate)
  }

  func validate() throws { try CodingKeys.layers.checkPositive(layers) }

  /// What the models are made by.
  var settings: LayerSharing { LayerSharing(layers: layers, swapsQueriesAndKeys: swap) }
}

extension StudentConfiguration {
  /// A student that trains, from a folder: of the run's own checkpoints, or of a start.
  ///
  /// - Throws: a `Diagnostic` where the model cannot be loaded, or is not one whose layers are used twice as ``share`` says.
  func load(_ path: String) throws -> any CausalLanguageModel {
    let model = try ModelStore.load(path, trainable: share == nil).model
    return try shared(model, place: path)
  }

  /// The student that a start makes: itself, or its layers used twice.
  func shared(_ start: any CausalLanguageModel, place: String? = nil) throws -> any CausalLanguageModel {
    guard let share else { return start }
    do { return try ModelStore.share(start, share.settings, training: .all) } catch let fault as Diagnostic {
      throw fault.located(file: place, field: Self.shareField)
    }
  }

  /// Where a message says that layers cannot be shared as they are to be.
  static let shareField = "student.share"
}
