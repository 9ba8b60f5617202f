import Files
import SafeTensors

/// Named tensors that the weights of a model are read from, whatever the format of their files.
protocol WeightSource: Sendable {
  /// What is stored under each name.
  var weights: [String: StoredWeight] { get }

  /// Reads a floating-point tensor as `Float`s in row-major order.
  ///
  /// - Precondition: `destination` has as many elements as the tensor.
  /// - Throws: a `Diagnostic` when there is no such tensor, or it is of no type that is read.
  func readFloats(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws

  /// The bytes of a tensor that lies in its file as it is to be read, and what they live as long as.
  ///
  /// - Throws: a `Diagnostic` when there is no such tensor.
  func mapped(_ name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile)
}

/// A tensor of a ``WeightSource``.
struct StoredWeight: Sendable, Equatable {
  /// Extents, outermost first.
  var shape: [Int]
  /// Its plain type; nil where it is quantised, or changed on its way from the file.
  var type: ElementType?
}

extension WeightSource {
  /// As ``readFloats(_:into:)`` into an array of its own.
  func floats(_ name: String) throws -> [Float] {
    let count = weights[name]?.shape.reduce(1, *) ?? 0
    return try unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      try unsafe readFloats(name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }
}

extension SafeTensorsCheckpoint: WeightSource {
  var weights: [String: StoredWeight] { tensors.mapValues { StoredWeight(shape: $0.shape, type: $0.type) } }
}
