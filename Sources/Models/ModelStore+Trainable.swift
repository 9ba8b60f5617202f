public import JSON
public import RandomStreams
public import Tensor

// Models of which all parameters train, or none.

extension ModelStore {
  /// As ``load(_:training:precision:)`` with gradients for all parameters, or for none.
  public static func load(
    _ pathOrHubID: String, trainable: Bool, precision: Precision = .fp32
  ) throws -> LoadedModel {
    try load(pathOrHubID, training: trainable ? .all : .none, precision: precision)
  }

  /// As ``make(_:stream:training:)`` with gradients for all parameters, or for none.
  public static func make(
    _ configuration: JSONObject, stream: inout RandomStream, trainable: Bool
  ) throws -> any CausalLanguageModel {
    try make(configuration, stream: &stream, training: trainable ? .all : .none)
  }

  /// As ``student(from:layers:training:)`` with gradients for all parameters, or for none.
  public static func student(
    from teacher: any CausalLanguageModel, layers: [Int], trainable: Bool
  ) throws -> any CausalLanguageModel {
    try student(from: teacher, layers: layers, training: trainable ? .all : .none)
  }

  /// As ``loadEncoder(_:training:precision:)`` with gradients for all parameters, or for none.
  public static func loadEncoder(
    _ pathOrHubID: String, trainable: Bool, precision: Precision = .fp32
  ) throws -> LoadedEncoder {
    try loadEncoder(pathOrHubID, training: trainable ? .all : .none, precision: precision)
  }

  /// As ``makeEncoder(_:stream:training:)`` with gradients for all parameters, or for none.
  public static func makeEncoder(
    _ configuration: JSONObject, stream: inout RandomStream, trainable: Bool
  ) throws -> EncoderModel {
    try makeEncoder(configuration, stream: &stream, training: trainable ? .all : .none)
  }
}
