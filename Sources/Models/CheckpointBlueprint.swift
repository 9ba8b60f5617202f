import Diagnostics
import JSON
import Tensor

/// What loading a checkpoint takes to know of a model, of whatever kind.
protocol CheckpointBlueprint: Sendable {
  var keys: CheckpointKeys { get }
  /// Every parameter, in checkpoint order. Takes no memory for them.
  var specifications: [ParameterSpecification] { get }
  /// True where the head is the token embedding.
  var isTied: Bool { get }
}

extension CheckpointBlueprint {
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
  /// What stands before the names of a body with a head for a task, where they stand alone without one: `bert.`.
  var wrapper = ""
  /// Beginnings of the names of heads for tasks that a body does without, and that are left out.
  var otherHeads: [String] = []
  /// Ends of names that older versions saved, each with what it is called now.
  var older: [(old: String, now: String)] = []
  /// The order in which transformers saves the weights, by which they are cut into files.
  var savedOrder = SavedOrder.modules()

  enum SavedOrder: Sendable {
    /// As the model has them, but for some parts of a layer, such as `input_layernorm`: these come behind the rest of it, in
    /// the order given.
    case modules(last: [String] = [])
    /// By name, the head last: transformers 5 sorts the weights of a family that it has other names for in memory.
    case names
  }

  /// A name without what stands before it for the sake of a head, as newer versions have it.
  func current(_ name: String) -> String {
    let name = name.hasPrefix(wrapper) ? String(name.dropFirst(wrapper.count)) : name
    guard let change = older.first(where: { name.hasSuffix($0.old) }) else { return name }
    return name.dropLast(change.old.count) + change.now
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
