import RandomStreams
import Tensor
import Testing

/// Everything that changes the engine's settings or compares bits runs one after the other.
@Suite(.serialized) enum EngineSuite {}

/// A case's inputs, result and gradients.
struct OperationResult: Equatable {
  var inputs: [[Float]]
  var upstream: [Float]
  var output: [Float]
  /// Of the inputs, then the parameters.
  var gradients: [[Float]]
}

/// Runs a case forward and backward on values that depend on its name alone.
func evaluate(_ operation: OperationCase) -> OperationResult {
  var stream = RandomStream(seed: 7, name: operation.name)
  let arena = Arena()
  let tape = Tape(arena: arena, recording: true)
  let variables = operation.inputs.map { rows, columns in
    let tensor = arena.tensor([rows, columns])
    tensor.fillNormal(standardDeviation: 1, &stream)
    return tape.input(tensor)
  }
  let buffer = ParameterBuffer(
    operation.parameters.enumerated().map { index, size in
      ParameterSpecification(
        name: "p\(index)", shape: [size.0, size.1], role: .decayed, initialization: .normal(standardDeviation: 1))
    })
  buffer.initialize(&stream)
  buffer.allocateGradients()
  let output = operation.run(tape, variables, buffer.parameters)
  let upstream = arena.tensor(output.value.shape)
  upstream.fillNormal(standardDeviation: 1, &stream)
  tape.backward(from: output, gradient: upstream)
  return OperationResult(
    inputs: variables.map { $0.value.array() } + buffer.parameters.map { $0.value.array() },
    upstream: upstream.array(), output: output.value.array(),
    gradients: variables.map { tape.gradient(of: $0)!.array() } + buffer.parameters.map { $0.gradient!.array() })
}

/// Fails where two lists differ by more than `tolerance` times the larger of 1 and the expected list's largest value.
func expectClose(
  _ actual: [Float], _ expected: [Double], tolerance: Double, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record("\(what): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
    return
  }
  let size = expected.reduce(1) { max($0, $1.magnitude) }
  for (i, (a, e)) in zip(actual, expected).enumerated() where !((Double(a) - e).magnitude <= tolerance * size) {
    Issue.record("\(what)[\(i)] is \(a), expected \(e)", sourceLocation: sourceLocation)
    return
  }
}

/// Runs `body` with a matrix library in use.
func withLibrary<Result>(_ library: MatrixLibrary, _ body: () throws -> Result) rethrows -> Result {
  let previous = Engine.matrixLibrary
  Engine.matrixLibrary = library
  defer { Engine.matrixLibrary = previous }
  return try body()
}

/// Runs `body` with a kernel variant in use.
func withKernels<Result>(_ kernels: Engine.Kernels, _ body: () throws -> Result) rethrows -> Result {
  let previous = Engine.kernels
  Engine.kernels = kernels
  defer { Engine.kernels = previous }
  return try body()
}

extension EngineSuite {
  struct OperationTests {
    @Test("values and gradients are those of the definition", arguments: OperationCase.all)
    func definition(operation: OperationCase) {
      let given = evaluate(operation)
      let sizes = operation.inputs + operation.parameters
      let matrices = zip(sizes, given.inputs).map { Matrix($0.0, $0.1, $1.map(Double.init)) }
      let output = operation.reference(matrices).values
      let slopes = matrices.indices.map { self.slopes(operation, matrices, $0, given.upstream) }
      let instances =
        Engine.Kernels.supported.map { (MatrixLibrary.decant, $0) }
        + MatrixLibrary.available.filter { $0 != .decant }.map { ($0, Engine.kernels) }
      for (library, variant) in instances {
        let result = withLibrary(library) { withKernels(variant) { evaluate(operation) } }
        expectClose(result.output, output, tolerance: 2e-6, "\(operation.name), \(library), \(variant)")
        for (index, gradient) in result.gradients.enumerated() {
          expectClose(
            slopes[index].map { gradient[$0.element] }, slopes[index].map(\.value), tolerance: 1e-5,
            "\(operation.name), \(variant), gradient \(index)")
        }
      }
    }

    /// Central differences of the reference in double precision, at up to a dozen elements spread over an input. With a
    /// step of 1e-5 they are right to about 1e-9, far below the tolerance that single precision needs.
    private func slopes(
      _ operation: OperationCase, _ matrices: [Matrix], _ index: Int, _ upstream: [Float]
    ) -> [(element: Int, value: Double)] {
      let step = 1e-5
      func loss(_ offset: Double, _ element: Int) -> Double {
        var moved = matrices
        moved[index].values[element] += offset
        return zip(operation.reference(moved).values, upstream).reduce(0) { $0 + $1.0 * Double($1.1) }
      }
      let count = matrices[index].values.count
      let stride = max(count / 12, 1)
      return Swift.stride(from: stride / 2, to: count, by: stride).map {
        ($0, (loss(step, $0) - loss(-step, $0)) / (2 * step))
      }
    }

    @Test("the same bits again, and with another number of threads", arguments: OperationCase.all)
    func sameBits(operation: OperationCase) throws {
      let before = Engine.threads
      let first = evaluate(operation)
      #expect(evaluate(operation) == first)
      try Engine.configure(threads: 1)
      #expect(evaluate(operation) == first)
      try Engine.configure(threads: before)
    }
  }
}
