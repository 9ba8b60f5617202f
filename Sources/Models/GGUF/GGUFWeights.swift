import Diagnostics
import Files
import GGUF
import SafeTensors
import Tensor

/// The tensors of a GGUF file under the names of transformers, their values as they were before llama.cpp's converter
/// changed them.
///
/// A quantised tensor is unpacked when it is read, by all threads, into the fp32 that the reader brings; nothing of it is
/// kept here. What lies in the file as transformers has it, in a plain type, may be used where it lies.
struct GGUFWeights: WeightSource {
  private struct Place {
    var tensor: GGUFTensor
    /// Its name in the file.
    var name: String
    var change: GGUFTensorNames.Change
  }

  let weights: [String: StoredWeight]
  private let file: GGUFFile
  private let places: [String: Place]
  private let heads: (queries: Int, keys: Int)

  /// - Parameters:
  ///   - heads: Of queries, and of keys and values.
  ///   - isTied: Whether the head is the embedding, and so no weight of its own.
  /// - Throws: a `Diagnostic` for a tensor whose rows do not fit the heads.
  init(_ file: GGUFFile, _ names: GGUFTensorNames, heads: (queries: Int, keys: Int), isTied: Bool) throws {
    self.file = file
    self.heads = heads
    var places: [String: Place] = [:]
    var weights: [String: StoredWeight] = [:]
    for (name, tensor) in file.tensors where !GGUFHyperparameters.ropeTensors.contains(name) {
      if isTied && name == GGUFModel.headTensor { continue }
      // A tensor of another name stays, for who knows all parameters to say that nothing has a use for it.
      let (own, change) = names.named(name) ?? (name, .none)
      let place = Place(
        tensor: tensor, name: name, change: tensor.shape.count == 1 && change == .transposed ? .none : change)
      try Self.check(place, heads, file)
      places[own] = place
      let shape = place.change == .transposed ? tensor.shape.reversed() : tensor.shape
      weights[own] = StoredWeight(shape: shape, type: place.change == .none ? ElementType(tensor.type) : nil)
    }
    self.places = places
    self.weights = weights
  }

  private static func check(_ place: Place, _ heads: (queries: Int, keys: Int), _ file: GGUFFile) throws {
    let parts =
      switch place.change {
      case .none, .transposed, .plusOne: 1
      case .turnedQueries: 2 * heads.queries
      case .turnedKeys: 2 * heads.keys
      case .sorted: 3 * heads.queries
      }
    let rows = place.tensor.shape[0]
    guard rows % parts == 0, place.change != .transposed || place.tensor.shape.count == 2 else {
      throw Diagnostic.input(
        "has shape \(place.tensor.shape), which does not fit \(heads.queries) heads of queries and \(heads.keys) of keys",
        file: file.path, field: place.name, remedy: "convert the model again with a current llama.cpp")
    }
  }

  func mapped(_ name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile) {
    try unsafe file.mapped(place(name).name)
  }

  func readFloats(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    let place = try place(name)
    switch place.change {
    case .none: unsafe read(place.tensor, into: destination)
    case .plusOne:
      unsafe read(place.tensor, into: destination)
      for index in destination.indices { unsafe destination[index] -= 1 }
    case .transposed: unsafe readTransposed(place.tensor, into: destination)
    case .turnedQueries, .turnedKeys, .sorted: unsafe readReordered(place, into: destination)
    }
  }

  private func place(_ name: String) throws -> Place {
    if let place = places[name] { return place }
    throw Diagnostic.input("the file has no such tensor", file: file.path, field: name)
  }

  // MARK: Reading

  /// Rows that a thread unpacks at a time.
  private static func grain(_ tensor: GGUFTensor) -> Int { max(1, 1 << 16 / tensor.columns) }

  private func read(_ tensor: GGUFTensor, into destination: UnsafeMutableBufferPointer<Float>) {
    let columns = tensor.columns
    Engine.parallel(count: tensor.rows, grain: Self.grain(tensor)) { rows in
      let part = unsafe destination[rows.lowerBound * columns..<rows.upperBound * columns]
      unsafe file.readFloats(tensor, rows: rows, into: UnsafeMutableBufferPointer(rebasing: part))
    }
  }

  private func readTransposed(_ tensor: GGUFTensor, into destination: UnsafeMutableBufferPointer<Float>) {
    let (count, columns) = (tensor.rows, tensor.columns)
    Engine.parallel(count: count, grain: 16) { rows in
      var values = [Float](repeating: 0, count: rows.count * columns)
      unsafe values.withUnsafeMutableBufferPointer { unsafe file.readFloats(tensor, rows: rows, into: $0) }
      for column in 0..<columns {
        for row in rows {
          unsafe destination[column * count + row] = values[(row - rows.lowerBound) * columns + column]
        }
      }
    }
  }

  private func readReordered(_ place: Place, into destination: UnsafeMutableBufferPointer<Float>) {
    let tensor = place.tensor
    // A bias is one row, whose elements are in the place of rows.
    if tensor.shape.count == 1 {
      var values = [Float](repeating: 0, count: tensor.count)
      unsafe values.withUnsafeMutableBufferPointer { unsafe file.readFloats(tensor, rows: 0..<1, into: $0) }
      for index in values.indices { unsafe destination[index] = values[source(of: index, place, values.count)] }
      return
    }
    let columns = tensor.columns
    Engine.parallel(count: tensor.rows, grain: Self.grain(tensor)) { rows in
      for row in rows {
        let own = source(of: row, place, tensor.rows)
        let part = unsafe destination[row * columns..<(row + 1) * columns]
        unsafe file.readFloats(tensor, rows: own..<own + 1, into: UnsafeMutableBufferPointer(rebasing: part))
      }
    }
  }

  /// The row of the file that is a row of transformers.
  private func source(of row: Int, _ place: Place, _ rows: Int) -> Int {
    if case .sorted = place.change {
      let dimension = rows / (3 * heads.queries)
      let (head, within) = row.quotientAndRemainder(dividingBy: 3 * dimension)
      let (kind, own) = within.quotientAndRemainder(dividingBy: dimension)
      return (kind * heads.queries + head) * dimension + own
    }
    let count = if case .turnedKeys = place.change { heads.keys } else { heads.queries }
    let dimension = rows / count
    let (head, within) = row.quotientAndRemainder(dividingBy: dimension)
    let (half, own) = within.quotientAndRemainder(dividingBy: dimension / 2)
    return head * dimension + 2 * own + half
  }
}

extension ElementType {
  /// The plain type that a GGUF file stores a tensor in; nil where it is quantised.
  fileprivate init?(_ type: GGUFElementType) {
    switch type {
    case .f32: self = .float32
    case .f16: self = .float16
    case .bf16: self = .bfloat16
    case .f64: self = .float64
    default: return nil
    }
  }
}
