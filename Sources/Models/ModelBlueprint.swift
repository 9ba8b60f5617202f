import Diagnostics
import JSON
import NN
import Tensor

/// A model as read from a `config.json`: sizes, the names of a checkpoint, and how the model is built.
protocol ModelBlueprint: Sendable {
  var configuration: ModelConfiguration { get set }
  var keys: CheckpointKeys { get }
  /// What `config.json` may say by layer, spelled out, for models that take some of the layers: empty where all layers
  /// are alike.
  var layerLists: [(key: String, values: [JSONValue])] { get }
  /// The model's layers, in checkpoint order, each parameter under the name transformers saves it by.
  func layers(_ scope: ParameterScope) -> DecoderLayers
}

extension ModelBlueprint {
  var layerLists: [(key: String, values: [JSONValue])] { [] }

  /// Every parameter, in checkpoint order. Takes no memory for them.
  var specifications: [ParameterSpecification] { ParameterScope.declarations { _ = layers($0) } }

  /// The model over a buffer made from ``specifications``; gradients must have been allocated before.
  func build(_ parameters: ParameterBuffer) -> any CausalLanguageModel {
    Decoder(configuration, layers(ParameterScope(parameters)), parameters)
  }

  /// Refuses a model made anew that this machine could not hold, before anything is made.
  ///
  /// - Parameters:
  ///   - config: Where the sizes stand.
  ///   - memory: Bytes of the machine's memory.
  /// - Throws: a `Diagnostic` with the bytes asked for and those there are.
  func checkMemory(_ config: JSONField, training: ParameterSelection, memory: Int) throws {
    let specifications = specifications
    let trains = specifications.contains(where: training.contains)
    var room = memory / MemoryLayout<Float>.stride
    for specification in specifications {
      // A gradient is as large as the value.
      let copies = training.contains(specification) ? 2 : 1
      let (count, overflows) = specification.shape.reduce((copies, false)) { partial, extent in
        let (product, overflow) = partial.0.multipliedReportingOverflow(by: extent)
        return (product, partial.1 || overflow)
      }
      guard !overflows, count <= room else {
        throw config.diagnostic(
          "asks for more parameters than fit the \(memory) bytes of this machine's memory\(trains ? " with their gradients" : "")"
            + "; \(specification.name) alone has shape \(specification.shape)",
          remedy: "lower the sizes: layers, vocabulary, widths or context")
      }
      room -= count
    }
  }
}

/// What a family's checkpoints call things.
struct CheckpointKeys: Sendable {
  /// Prefix of the body's parameters, absent in checkpoints of a bare body: `transformer.`.
  var prefix: String
  /// Prefix of a layer's parameters, up to its number: `transformer.h.`.
  var layers: String
  /// Key of `config.json` that counts the layers: `n_layer`.
  var layerCount: String
  /// The token embedding, which is the head of a tied model.
  var embedding: String
  var head: String
  /// Ends of the names of buffers that old checkpoints hold and nothing needs.
  var buffers: [String]
  /// The order in which transformers saves the weights, by which they are cut into files.
  var savedOrder = SavedOrder.modules()

  enum SavedOrder: Sendable {
    /// As the model has them, but for some parts of a layer, such as `input_layernorm`: these come behind the rest of it, in
    /// the order given.
    case modules(last: [String] = [])
    /// By name, the head last: transformers 5 sorts the weights of a family that it has other names for in memory.
    case names
  }

  /// The layer a parameter belongs to and the rest of its name; nil for one outside the layers.
  func layer(of name: String) -> (index: Int, rest: String)? {
    guard name.hasPrefix(layers) else { return nil }
    let tail = name.dropFirst(layers.count)
    guard let dot = tail.firstIndex(of: "."), let index = Int(tail[..<dot]) else { return nil }
    return (index, String(tail[dot...]))
  }

  /// Parameters in the order in which transformers saves them.
  ///
  /// - Parameter parameters: In the model's own order, those of a layer together.
  func inSavedOrder(_ parameters: [Parameter]) -> [Parameter] {
    guard case .modules(let last) = savedOrder else {
      return parameters.sorted { precedes($0.name, $1.name) }
    }
    var layers: [Int: Int] = [:]
    let places = parameters.enumerated().map { number, parameter in
      guard let (layer, rest) = layer(of: parameter.name) else { return (number, 0, number) }
      let first = layers[layer] ?? number
      layers[layer] = first
      return (first, (last.firstIndex { rest.hasPrefix(".\($0).") } ?? -1) + 1, number)
    }
    return places.sorted(by: <).map { parameters[$0.2] }
  }

  /// Whether a name comes before another one, part by part; numbers of layers are compared as numbers.
  private func precedes(_ a: String, _ b: String) -> Bool {
    if a == head || b == head { return b == head && a != head }
    for (first, second) in zip(a.split(separator: "."), b.split(separator: ".")) where first != second {
      if let first = Int(first), let second = Int(second) { return first < second }
      return first.utf8.lexicographicallyPrecedes(second.utf8)
    }
    return false
  }
}
