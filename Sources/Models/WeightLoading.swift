import Diagnostics
import Fingerprints
import SafeTensors
import Tensor

/// From a checkpoint's tensors to a model's parameters, each checked by name, shape and value.
struct WeightLoading {
  let source: any WeightSource
  let blueprint: any CheckpointBlueprint
  /// The model folder or file, for messages.
  let directory: String
  private let stored: [String: StoredWeight]
  /// Names in the checkpoint of what belongs to heads that the model does without, sorted.
  let leftOut: [String]
  /// Name in the checkpoint of every parameter.
  private let names: [String: String]

  /// Matches the tensors of a checkpoint with the parameters of a blueprint; reads no weights yet.
  ///
  /// - Throws: a `Diagnostic` for a tensor that is missing, has another shape, or that nothing uses.
  init(source: any WeightSource, blueprint: any CheckpointBlueprint, directory: String) throws {
    self.source = source
    stored = source.weights
    self.blueprint = blueprint
    self.directory = directory
    var names = Self.names(of: stored.keys, blueprint)
    let heads = names.filter { name, _ in blueprint.keys.otherHeads.contains(where: name.hasPrefix) }
    leftOut = heads.values.sorted()
    for name in heads.keys { names[name] = nil }
    self.names = names
    let specifications = blueprint.specifications
    for specification in specifications { try checkShape(specification) }
    try refuseUnused(known: Set(specifications.map(\.name)))
  }

  /// The name in the checkpoint of everything it holds, by the name transformers would save it by.
  private static func names(of tensors: some Collection<String>, _ blueprint: any CheckpointBlueprint) -> [String:
    String]
  {
    let keys = blueprint.keys
    let wrapper = wrapper(of: tensors)
    // A checkpoint of the bare body has no prefix on its names.
    let bare = !tensors.contains { $0.dropFirst(wrapper.count).hasPrefix(keys.prefix) }
    var names: [String: String] = [:]
    for stored in tensors {
      let name = keys.current(String(stored.dropFirst(wrapper.count)))
      names[bare && name != keys.head ? keys.prefix + name : name] = stored
    }
    // The head and the embedding of a tied model are one tensor, which some savers keep under the head's name alone.
    if blueprint.isTied, names[keys.embedding] == nil { names[keys.embedding] = names[keys.head] }
    return names
  }

  /// What stands before every name in a checkpoint saved through torch.compile or data-parallel training, nothing in
  /// others.
  private static func wrapper(of tensors: some Collection<String>) -> String {
    var wrapper = ""
    while let next = ["_orig_mod.", "module."].first(where: { part in
      !tensors.isEmpty && tensors.allSatisfy { $0.hasPrefix(wrapper + part) }
    }) {
      wrapper += next
    }
    return wrapper
  }

  private func checkShape(_ specification: ParameterSpecification) throws {
    guard let name = names[specification.name], let entry = stored[name] else {
      let tying = "set tie_word_embeddings to true in config.json if the head is the token embedding, otherwise "
      throw Diagnostic.input(
        "the weights lack this tensor, of shape \(specification.shape)", file: directory, field: specification.name,
        remedy: "\(specification.name == blueprint.keys.head ? tying : "")check that config.json and the weights "
          + "belong to the same model")
    }
    guard entry.shape == specification.shape else {
      throw Diagnostic.input(
        "has shape \(entry.shape), but config.json asks for \(specification.shape)", file: directory, field: name,
        remedy: "check that config.json and the weights belong to the same model")
    }
  }

  private func refuseUnused(known: Set<String>) throws {
    let keys = blueprint.keys
    let unused = names.keys.filter { name in
      !known.contains(name) && !keys.buffers.contains(where: name.hasSuffix) && !isTiedHead(name)
    }
    guard let first = unused.min() else { return }
    throw Diagnostic.input(
      "the weights hold \(unused.count) tensor\(unused.count == 1 ? "" : "s") that a model of this config.json has no"
        + " use for", file: directory, field: names[first],
      remedy: "check that config.json and the weights belong to the same model")
  }

  private func isTiedHead(_ name: String) -> Bool { blueprint.isTied && name == blueprint.keys.head }

  /// Reads every weight into the parameters of `buffer`, which was made from the blueprint's specifications.
  ///
  /// - Throws: a `Diagnostic` for a weight that is not finite, a head that differs from the embedding it should be tied
  ///   to, and what reading the files throws.
  func load(into buffer: ParameterBuffer) throws {
    for parameter in buffer.parameters {
      guard case .fp32(let value) = parameter.weights else { continue }
      try read(names[parameter.name]!, into: value)
    }
    let keys = blueprint.keys
    if isTiedHead(keys.head), let name = names[keys.head], let embedding = names[keys.embedding], name != embedding {
      try checkTied(name, embedding)
    }
  }

  /// The type that each parameter is stored in, by the name transformers would save it by.
  var storedTypes: [String: StoredType] {
    var types: [String: StoredType] = [:]
    for specification in blueprint.specifications {
      types[specification.name] = names[specification.name].flatMap { stored[$0]?.type }.flatMap { StoredType($0) }
    }
    return types
  }

  /// Matrices in bf16: where they lie in the file, if they are stored so, otherwise rounded.
  ///
  /// - Parameters:
  ///   - trainable: Those that are left out, since they train.
  ///   - rounding: Whether those of other types are rounded; they are left out otherwise.
  /// - Returns: By name, with the fingerprint of the values before they are rounded.
  /// - Throws: as ``load(into:)``.
  func matricesInBF16(
    but trainable: ParameterSelection, rounding: Bool
  ) throws -> [String: (matrix: BFloat16Matrix, fingerprint: Fingerprint)] {
    var matrices: [String: (matrix: BFloat16Matrix, fingerprint: Fingerprint)] = [:]
    for specification in blueprint.specifications
    where specification.shape.count == 2 && !trainable.contains(specification) {
      let name = names[specification.name]!
      guard rounding || stored[name]?.type == .bfloat16 else { continue }
      if let matrix = try mapped(name, shape: specification.shape) {
        // Some rows at a time, while they are in a cache: the matrix is never held in fp32.
        let stream = FingerprintStream()
        try matrix.forPieces { piece, first in
          try check(piece, of: name, shape: specification.shape, first: first)
          unsafe stream.append(UnsafeRawBufferPointer(piece.elements))
        }
        matrices[specification.name] = (matrix, stream.fingerprint)
      } else {
        let values = Storage(shape: specification.shape)
        try read(name, into: values.tensor)
        matrices[specification.name] = (BFloat16Matrix(rounding: values.tensor), Fingerprint(ofValues: values.tensor))
      }
    }
    return matrices
  }

  /// A matrix of bf16 where it lies in its file; nil where it is of another type, or at an odd address.
  private func mapped(_ name: String, shape: [Int]) throws -> BFloat16Matrix? {
    guard stored[name]?.type == .bfloat16 else { return nil }
    let (bytes, owner) = try unsafe source.mapped(name)
    guard let base = bytes.baseAddress, Int(bitPattern: base) % MemoryLayout<UInt16>.alignment == 0 else {
      return nil
    }
    return unsafe BFloat16Matrix(
      base: base.assumingMemoryBound(to: UInt16.self), rows: shape[0], columns: shape[1], owner: owner)
  }

  private func read(_ name: String, into tensor: Tensor) throws {
    try unsafe source.readFloats(name, into: tensor.elements)
    try check(tensor, of: name, shape: tensor.shape, first: 0)
  }

  /// - Parameters:
  ///   - values: Of a tensor of that shape, from a flat index on.
  /// - Throws: a `Diagnostic` where one is not finite.
  private func check(_ values: Tensor, of name: String, shape: [Int], first: Int) throws {
    guard let index = values.firstNonFinite else { return }
    throw Diagnostic.input(
      "holds \(values[index]) at index \(TensorEntry.position(of: first + index, in: shape))", file: directory,
      field: name,
      remedy: "use weights that are finite; these come from a training that diverged, or a damaged file")
  }

  private func checkTied(_ name: String, _ embedding: String) throws {
    guard stored[name]?.shape == stored[embedding]?.shape,
      try source.floats(name) == source.floats(embedding)
    else {
      throw Diagnostic.input(
        "differs from the token embedding it is tied to", file: directory, field: name,
        remedy: "set tie_word_embeddings to false in config.json")
    }
  }
}
