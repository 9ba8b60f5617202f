import Diagnostics
public import NN
public import Sequences
public import Tensor

/// A transformer that gives texts their vectors: an encoder, or a decoder by its hidden states after the final norm.
public enum SentenceModel {
  case encoder(EncoderModel)
  case decoder(any CausalLanguageModel)

  public var parameters: ParameterBuffer {
    switch self {
    case .encoder(let model): model.parameters
    case .decoder(let model): model.parameters
    }
  }

  /// Numbers of a vector.
  public var width: Int {
    switch self {
    case .encoder(let model): model.configuration.hiddenSize
    case .decoder(let model): model.configuration.hiddenSize
    }
  }

  /// What its `config.json` calls it.
  public var family: String {
    switch self {
    case .encoder(let model): "\(model.configuration.family)"
    case .decoder(let model): "\(model.configuration.family)"
    }
  }

  /// What its matrix products round their operands to.
  public var precision: Precision {
    get {
      switch self {
      case .encoder(let model): model.precision
      case .decoder(let model): model.precision
      }
    }
    nonmutating set {
      switch self {
      case .encoder(let model): model.precision = newValue
      case .decoder(let model): model.precision = newValue
      }
    }
  }

  /// Dropout of recording passes; nil for none.
  public var dropout: Dropout? {
    get {
      switch self {
      case .encoder(let model): model.dropout
      case .decoder(let model): model.dropout
      }
    }
    nonmutating set {
      switch self {
      case .encoder(let model): model.dropout = newValue
      case .decoder(let model): model.dropout = newValue
      }
    }
  }

  /// Whether recording passes keep nothing of a block but its input, and run it again on their way back.
  public var recomputing: Bool {
    get {
      switch self {
      case .encoder(let model): model.recomputing
      case .decoder(let model): model.recomputing
      }
    }
    nonmutating set {
      switch self {
      case .encoder(let model): model.recomputing = newValue
      case .decoder(let model): model.recomputing = newValue
      }
    }
  }

  /// What it can read.
  ///
  /// - Parameter role: What messages call it, such as `the model`.
  public func limits(role: String) -> SequenceLimits {
    switch self {
    case .encoder(let model): SequenceLimits(model.configuration, role: role)
    case .decoder(let model): SequenceLimits(model.configuration, role: role)
    }
  }

  /// Refuses a way of pooling that the model does not have.
  ///
  /// - Throws: a `Diagnostic` of field `pooling` with those that it has.
  public func check(_ pooling: Pooling) throws {
    switch self {
    case .encoder(let model):
      guard pooling == .pooler && !model.configuration.hasPooler else { return }
      throw Diagnostic.input(
        "is pooler, and the weights hold none", field: "pooling", remedy: "choose cls, mean or last")
    case .decoder:
      if [.mean, .last].contains(pooling) { return }
      throw Diagnostic.input(
        "is \(pooling.rawValue), and the model is a decoder, whose first token has seen nothing else", field: "pooling",
        remedy: "choose mean or last")
    }
  }

  /// A vector of each text, [texts, width]; which others there are changes none of its bits.
  ///
  /// - Precondition: no text is empty, the model can read all of them and has the way of pooling; the tape has its precision.
  public func vectors(of texts: [[Int32]], _ pooling: Pooling, on tape: Tape) -> Variable {
    let tokens = Array(texts.joined()), packing = Packing(lengths: texts.map(\.count))
    switch self {
    case .encoder(let model):
      return model.pooled(model.hiddenStates(tokens, packing, on: tape), packing, pooling, on: tape)
    case .decoder(let model):
      return pooling.rows(of: model.hiddenStates(tokens, packing, on: tape), packing, on: tape)
    }
  }
}
