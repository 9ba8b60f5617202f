import NN
import RandomStreams
import Tensor
import TestSupport
import Testing

/// What is built against a scope, and its parameters, filled with small random numbers.
func filled<Layers>(
  seed: UInt64 = 3, _ build: (ParameterScope) -> Layers
) -> (layers: Layers, parameters: ParameterBuffer) {
  let buffer = ParameterBuffer(ParameterScope.declarations { _ = build($0) })
  var stream = RandomStream(seed: seed, name: "parameters")
  for parameter in buffer.parameters {
    parameter.value.copy(from: (0..<parameter.value.count).map { _ in stream.uniform() - 0.5 })
  }
  buffer.allocateGradients()
  return (build(ParameterScope(buffer)), buffer)
}

/// Random elements in an arena.
func random(_ shape: [Int], _ arena: Arena, seed: UInt64 = 7) -> Tensor {
  var stream = RandomStream(seed: seed, name: "input")
  let tensor = arena.tensor(shape)
  tensor.copy(from: (0..<tensor.count).map { _ in 2 * stream.uniform() - 1 })
  return tensor
}

@Suite("Layers")
struct LayerTests {
  let arena = Arena()
  var tape: Tape { Tape(arena: arena, recording: false) }

  @Test(
    "a linear layer computes its formula in both layouts, with and without bias", arguments: [true, false],
    [true, false])
  func linear(_ transposed: Bool, _ bias: Bool) {
    let layout: WeightLayout = transposed ? .inputByOutput : .outputByInput
    let (layer, buffer) = filled {
      Linear($0["l"], inputs: 5, outputs: 3, bias: bias, layout: layout, standardDeviation: 1)
    }
    #expect(buffer.contains("l.bias") == bias)
    #expect(buffer["l.weight"].role == .decayed)
    let x = random([4, 5], arena)
    let result = layer(tape.input(x), on: tape).value.array()
    let (input, weight) = (x.array(), buffer["l.weight"].value.array())
    let offsets = bias ? buffer["l.bias"].value.array() : [0, 0, 0]
    var expected: [Float] = []
    for row in 0..<4 {
      for column in 0..<3 {
        expected.append(offsets[column])
        for inner in 0..<5 {
          expected[row * 3 + column] +=
            input[row * 5 + inner] * weight[transposed ? inner * 3 + column : column * 5 + inner]
        }
      }
    }
    expectClose(result, expected, absolute: 1e-6)
  }

  @Test(
    "what a scope declares has the names, in the order, that layers ask for, and a layer of another shape is refused")
  func declarations() async {
    let declared = ParameterScope.declarations { scope in
      _ = Embedding(scope["tokens"], count: 7, width: 4, standardDeviation: 0.5)
      _ = Linear(scope["block"][1]["up"], inputs: 4, outputs: 6, bias: true, standardDeviation: 1)
    }
    #expect(declared.map(\.name) == ["tokens.weight", "block.1.up.weight", "block.1.up.bias"])
    #expect(declared.map(\.shape) == [[7, 4], [6, 4], [6]])
    #expect(declared[0].initialization == .normal(standardDeviation: 0.5) && declared[2].initialization == .zeros)
    await #expect(processExitsWith: .failure) {
      let buffer = ParameterBuffer(
        ParameterScope.declarations { _ = RMSNorm($0["norm"], width: 4, epsilon: 1e-5) })
      _ = RMSNorm(ParameterScope(buffer)["norm"], width: 5, epsilon: 1e-5)
    }
  }

  @Test("norms compute their formulas")
  func norms() {
    let (norms, buffer) = filled {
      (LayerNorm($0["n"], width: 6, epsilon: 1e-2), RMSNorm($0["r"], width: 6, epsilon: 1e-2))
    }
    #expect(buffer.parameters.allSatisfy { $0.role == .undecayed })
    let x = random([3, 6], arena)
    let layer = norms.0(tape.input(x), on: tape).value.array()
    let scaled = norms.1(tape.input(x), on: tape).value.array()
    for row in 0..<3 {
      let values = x.rows(row..<row + 1).array()
      let mean = values.reduce(0, +) / 6
      let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6 + 1e-2).squareRoot()
      let size = (values.reduce(0) { $0 + $1 * $1 } / 6 + 1e-2).squareRoot()
      for column in 0..<6 {
        let gain = buffer["n.weight"].value.array()[column]
        let bias = buffer["n.bias"].value.array()[column]
        expectClose(layer[row * 6 + column], (values[column] - mean) / deviation * gain + bias, absolute: 1e-5)
        let expected = values[column] / size * buffer["r.weight"].value.array()[column]
        expectClose(scaled[row * 6 + column], expected, absolute: 1e-5)
      }
    }
  }

  @Test("feed-forward layers, plain and gated, compute their formulas")
  func feedForward() {
    let ((gate, up, down), _) = filled { scope in
      func linear(_ name: String, _ inputs: Int, _ outputs: Int) -> Linear {
        Linear(scope[name], inputs: inputs, outputs: outputs, bias: false, standardDeviation: 1)
      }
      return (linear("gate", 4, 8), linear("up", 4, 8), linear("down", 8, 4))
    }
    let x = tape.input(random([3, 4], arena))
    func project(_ layer: Linear, _ values: [Float]) -> [Float] {
      let tensor = arena.tensor([3, values.count / 3])
      tensor.copy(from: values)
      return layer(tape.input(tensor), on: tape).value.array()
    }
    let (gates, ups) = (gate(x, on: tape).value.array(), up(x, on: tape).value.array())
    let plain = MLP(up: up, down: down, activation: .relu)(x, on: tape).value.array()
    expectClose(plain, project(down, ups.map { max($0, 0) }), absolute: 1e-6)
    let gated = GatedMLP(gate: gate, up: up, down: down, activation: .relu)(x, on: tape).value.array()
    expectClose(gated, project(down, zip(gates, ups).map { max($0, 0) * $1 }), absolute: 1e-6)
  }

  @Test("dropout scales what it keeps, and a rate of 0 draws nothing")
  func dropout() {
    let stream = RandomStream(seed: 1, name: "dropout")
    let recording = Tape(arena: arena, recording: true)
    let ones = arena.tensor([100, 100])
    ones.fill(1)
    let zeros = arena.zeros([100, 100])
    let dropout = Dropout(embedding: 0, residual: 0.25, stream: stream)
    let pass = ForwardPass(tape: recording, packing: Packing(lengths: [100]), dropout: dropout)
    #expect(pass.embeddingDropout(recording.input(ones)).value.array() == ones.array())
    #expect(dropout.stream == stream)
    let masked = pass.residual(recording.input(zeros), recording.input(ones)).value.array()
    let kept: Float = 4 / 3
    #expect(Set(masked) == [0, kept])
    expectClose(Double(masked.count { $0 == 0 }), 2500, absolute: 5 * 1875.0.squareRoot())
    #expect(dropout.stream != stream)
  }

  @Test("what stands for several places is declared once, and gets the gradient of each") func shared() throws {
    // The second layer is the first one.
    func layers(_ scope: ParameterScope) -> [Linear] {
      let shared = scope.sharing { $0.replacing("layers.1.", with: "layers.0.") }
      return (0..<2).map {
        Linear(shared["layers"][$0], inputs: 3, outputs: 3, bias: true, standardDeviation: 1)
      }
    }
    let (both, buffer) = filled { layers($0) }
    #expect(buffer.specifications.map(\.name) == ["layers.0.weight", "layers.0.bias"])
    let recording = Tape(arena: arena, recording: true)
    let x = random([4, 3], arena)
    let first = both[0](recording.input(x), on: recording), y = both[1](first, on: recording)
    let ones = arena.tensor([4, 3])
    ones.fill(1)
    recording.backward(from: y, gradient: ones)
    // d sum(W (W x + b) + b) / db is that of the second use, 4 a row, and that through the first, 4 of W's column sums.
    let weights = buffer["layers.0.weight"].value.array()
    let expected = (0..<3).map { column in 4 + 4 * (0..<3).reduce(Float(0)) { $0 + weights[$1 * 3 + column] } }
    expectClose(try #require(buffer["layers.0.bias"].gradient).array(), expected, absolute: 1e-5)
  }
}
