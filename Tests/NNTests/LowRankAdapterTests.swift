import NN
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("A linear layer with a low-rank adapter")
struct LowRankAdapterTests {
  private let arena = Arena()
  private let base: ParameterBuffer
  private let adapters: ParameterBuffer

  private static let settings = LowRankSettings(rank: 3, alpha: 12) { $0 == "block.l" }

  private static func linear(_ scope: ParameterScope) -> Linear {
    Linear(scope["block"]["l"], inputs: 8, outputs: 6, bias: true, standardDeviation: 1)
  }

  init() {
    let base = filled { Self.linear($0) }.parameters
    (self.base, adapters) = (
      base, filled { Self.linear(ParameterScope(base).adapted(Self.settings, by: $0)) }.parameters
    )
  }

  private func layer(over base: ParameterBuffer) -> Linear {
    Self.linear(ParameterScope(base).adapted(Self.settings, by: ParameterScope(adapters)))
  }

  /// Result, and gradients of the input and of the adapter, of a loss with a random gradient.
  private func run(over base: ParameterBuffer, _ precision: Precision = .fp32) -> [[Float]] {
    adapters.gradients!.fill(0)
    let tape = Tape(arena: arena, recording: true, precision: precision)
    let x = tape.input(random([5, 8], arena))
    let y = layer(over: base)(x, on: tape)
    tape.backward(from: y, gradient: random([5, 6], arena, seed: 9))
    return [y.value.array(), tape.gradient(of: x)!.array(), adapters.gradients!.array()]
  }

  @Test("it has parameters of its own, adds their product, and starts as the layer it adapts")
  func definition() {
    #expect(adapters.specifications.map(\.name) == ["block.l.lora_A.weight", "block.l.lora_B.weight"])
    #expect(adapters.specifications.map(\.shape) == [[3, 8], [6, 3]])
    let (down, up) = (adapters.parameters[0].value.array(), adapters.parameters[1].value.array())
    let tape = Tape(arena: arena, recording: false)
    let x = random([5, 8], arena)
    let plain = Self.linear(ParameterScope(base))(tape.input(x), on: tape).value.array()
    var expected = plain
    for (row, column, rank) in (0..<5).flatMap({ r in (0..<6).flatMap { c in (0..<3).map { (r, c, $0) } } }) {
      let inner = (0..<8).reduce(Float(0)) { $0 + x.array()[row * 8 + $1] * down[rank * 8 + $1] }
      expected[row * 6 + column] += 12 / 3 * inner * up[column * 3 + rank]
    }
    expectClose(layer(over: base)(tape.input(x), on: tape).value.array(), expected, absolute: 1e-5)
    var stream = RandomStream(seed: 1, name: "adapters")
    adapters.initialize(&stream)
    #expect(adapters.parameters[0].value.array().contains { $0 != 0 })
    #expect(layer(over: base)(tape.input(x), on: tape).value.array() == plain)
  }

  @Test("gradients of the adapter are the slopes of the loss")
  func slopes() {
    let gradient = run(over: base)[2]
    let upstream = random([5, 6], arena, seed: 9).array()
    // The loss is linear in A and in B: a difference over any step is its slope.
    for (index, offset) in zip(adapters.parameters.indices, adapters.offsets) {
      let value = adapters.parameters[index].value
      let before = value.array()
      for element in before.indices {
        func loss(_ step: Float) -> Double {
          value.copy(from: before)
          unsafe value.base[element] += step
          return zip(run(over: base)[0], upstream).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        expectClose((loss(1) - loss(-1)) / 2, Double(gradient[offset + element]), absolute: 1e-4)
      }
      value.copy(from: before)
    }
    // This base trains as well; the adapter is in none of its gradients' way.
    #expect(base.gradients!.array().contains { $0 != 0 })
  }

  @Test("over a base in bf16 it gives what it gives over the same weights in fp32")
  func halfPrecision() {
    let rounded = base.roundedToBF16()
    guard case .bf16(let matrix) = rounded["block.l.weight"].weights else { fatalError("not in bf16") }
    let widened = ParameterBuffer(base.specifications)
    widened["block.l.weight"].value.copy(from: matrix.widened().tensor)
    widened["block.l.bias"].value.copy(from: base["block.l.bias"].value)
    #expect(run(over: rounded, .bf16) == run(over: widened, .bf16))
    #expect(run(over: rounded, .bf16) != run(over: base, .fp32))
    #expect(widened.gradients == nil)
  }
}
