import Diagnostics
import Files
public import Fingerprints
public import JSON
public import RandomStreams
public import Tensor

/// A model that gives texts their vectors, read from a folder.
public struct LoadedSentenceModel {
  public let model: SentenceModel
  /// The folder it came from, resolved.
  public let directory: String
  /// Of configuration and weights.
  public let fingerprint: Fingerprint
  /// What the files of sentence-transformers in the folder say.
  public let settings: SentenceSettings
  /// What is to be told of the model, a sentence each.
  public let notices: [String]
}

// Models of either kind that give texts their vectors, on disk and fresh.

extension ModelStore {
  /// Reads an encoder or a decoder from a folder (or from the local Hugging Face cache by its id).
  ///
  /// - Parameter trainable: Whether parameters have gradients: all that a vector depends on, so neither an encoder's pooler nor a
  ///   decoder's own head.
  /// - Throws: as ``load(_:training:precision:)`` and ``loadEncoder(_:training:precision:)``.
  public static func loadSentenceModel(
    _ pathOrHubID: String, trainable: Bool, precision: Precision = .fp32
  ) throws -> LoadedSentenceModel {
    let directory = try resolve(pathOrHubID)
    let settings = try SentenceSettings(directory: directory)
    guard try isEncoder(directory) else {
      let loaded = try load(directory, training: trainable ? ofVectors : .none, precision: precision)
      return LoadedSentenceModel(
        model: .decoder(loaded.model), directory: directory, fingerprint: loaded.fingerprint, settings: settings,
        notices: [])
    }
    let loaded = try loadEncoder(directory, training: trainable ? ofVectors : .none, precision: precision)
    return LoadedSentenceModel(
      model: .encoder(loaded.model), directory: directory, fingerprint: loaded.fingerprint, settings: settings,
      notices: loaded.notice.map { [$0] } ?? [])
  }

  /// A fresh trainable model of a `config.json` of a family of encoders or of decoders.
  ///
  /// - Throws: as ``make(_:stream:training:)`` and ``makeEncoder(_:stream:training:)``.
  public static func makeSentenceModel(
    _ configuration: JSONObject, stream: inout RandomStream
  ) throws -> SentenceModel {
    let name = configuration["model_type"]?.stringValue
    guard EncoderFamily.all.contains(where: { $0.name == name }) else {
      return .decoder(try make(configuration, stream: &stream, training: ofVectors))
    }
    return .encoder(try makeEncoder(configuration, stream: &stream, training: ofVectors))
  }

  /// A smaller trainable model that starts as chosen layers of another of its kind, with all that stands around them.
  ///
  /// - Throws: as ``student(from:layers:training:)``.
  public static func student(from teacher: SentenceModel, layers: [Int]) throws -> SentenceModel {
    switch teacher {
    case .encoder(let model): .encoder(try student(from: model, layers: layers, training: ofVectors))
    case .decoder(let model): .decoder(try student(from: model, layers: layers, training: ofVectors))
    }
  }

  /// Writes a model as transformers and sentence-transformers read it: its own files, and beside them `modules.json`, the
  /// pooling's `config.json` and `sentence_bert_config.json`.
  ///
  /// - Parameters:
  ///   - companions: Files to write beside them, such as the tokenizer's.
  /// - Throws: a `Diagnostic` when a file cannot be read or written.
  /// - Precondition: the settings name a way of pooling, and not the pooler, which those files have no word for.
  public static func save(
    _ model: SentenceModel, _ settings: SentenceSettings, to directory: String, companions: [Companion]
  ) throws {
    switch model {
    case .encoder(let encoder): try save(encoder, to: directory, companions: companions)
    case .decoder(let decoder): try save(decoder, to: directory, companions: companions)
    }
    try settings.write(to: directory, width: model.width)
  }

  /// Of configuration and weights.
  public static func fingerprint(of model: SentenceModel) -> Fingerprint {
    switch model {
    case .encoder(let encoder): fingerprint(ofEncoder: encoder)
    case .decoder(let decoder): fingerprint(of: decoder)
    }
  }

  /// The parameters that a vector depends on. What a vector does not depend on would be shrunk by the decay alone.
  private static let ofVectors = ParameterSelection {
    !["pooler.", "lm_head.", "embed_out."].contains(where: $0.name.hasPrefix)
  }
}
