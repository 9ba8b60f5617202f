import RandomStreams
import Tensor
import Testing

extension EngineSuite {
  @Suite("Going backward from several variables at once") struct RootTests {
    private let arena = Arena()
    private let parameters = ParameterBuffer([
      ParameterSpecification(
        name: "w", shape: [6, 5], role: .decayed, initialization: .normal(standardDeviation: 1))
    ])

    init() {
      var stream = RandomStream(seed: 1, name: "parameters")
      parameters.initialize(&stream)
      parameters.allocateGradients()
    }

    private func normal(_ rows: Int, _ columns: Int, _ name: String) -> Tensor {
      var stream = RandomStream(seed: 3, name: name)
      let tensor = arena.tensor([rows, columns])
      tensor.fillNormal(standardDeviation: 1, &stream)
      return tensor
    }

    /// Gradients of x, of y = x W^T where it is kept, and of W, of losses on y and on silu(y).
    private func gradients(
      linear: Bool, activated: Bool, keeping: Bool = false
    ) -> (x: [Float], y: [Float]?, w: [Float]) {
      parameters.gradients!.fill(0)
      let tape = Tape(arena: arena, recording: true)
      let x = tape.input(normal(3, 5, "x"))
      let y = tape.linear(x, parameters["w"])
      let z = tape.activation(y, .silu)
      if keeping { tape.keepGradient(of: y) }
      tape.backward(
        from: (linear ? [(y, normal(3, 6, "gradient of y"))] : [])
          + (activated ? [(z, normal(3, 6, "gradient of z"))] : []))
      return (tape.gradient(of: x)!.array(), tape.gradient(of: y)?.array(), parameters.gradients!.array())
    }

    @Test("gives every gradient the sum of what each root alone gives it")
    func sum() {
      let (first, second) = (gradients(linear: true, activated: false), gradients(linear: false, activated: true))
      let both = gradients(linear: true, activated: true)
      for (sum, parts) in [(both.x, (first.x, second.x)), (both.w, (first.w, second.w))] {
        expectClose(sum, zip(parts.0, parts.1).map { Double($0) + Double($1) }, tolerance: 1e-6, "sum")
        #expect(sum != parts.0 && sum != parts.1)
      }
    }

    @Test("a gradient on the way is kept where that is asked for, and changes no other")
    func kept() {
      let (plain, keeping) = (
        gradients(linear: true, activated: true), gradients(linear: true, activated: true, keeping: true)
      )
      #expect(plain.y == nil)
      #expect(keeping.x == plain.x && keeping.w == plain.w)
      let first = gradients(linear: true, activated: false, keeping: true)
      #expect(first.y == normal(3, 6, "gradient of y").array())
      let tape = Tape(arena: arena, recording: true)
      let y = tape.input(tape.linear(tape.input(normal(3, 5, "x")), parameters["w"]).value)
      tape.backward(
        from: [(y, normal(3, 6, "gradient of y")), (tape.activation(y, .silu), normal(3, 6, "gradient of z"))])
      #expect(keeping.y == tape.gradient(of: y)!.array())
    }

    @Test("a branch has the value of what it comes from, and adds to its gradient")
    func branch() {
      let tape = Tape(arena: arena, recording: true)
      let x = tape.input(normal(2, 3, "x"))
      let branch = tape.branch(x)
      #expect(branch.value.array() == x.value.array())
      let (own, other) = (normal(2, 3, "own"), normal(2, 3, "other"))
      tape.backward(from: [(branch, own), (tape.add(x, x), other)])
      #expect(tape.gradient(of: x)!.array() == zip(own.array(), other.array()).map { ($1 + $1) + $0 })
    }

    @Test("weights in bf16 pass on the gradient of their input as the same weights in fp32 do")
    func halfPrecision() {
      for layout in [WeightLayout.outputByInput, .inputByOutput] {
        let matrix = BFloat16Matrix(rounding: normal(40, 40, "weights"))
        let widened = matrix.widened()
        func gradient(_ weight: Parameter) -> [Float] {
          let tape = Tape(arena: arena, recording: true, precision: .bf16)
          let x = tape.input(normal(7, 40, "x"))
          let y = tape.linear(x, weight, weightLayout: layout)
          tape.backward(from: y, gradient: normal(7, 40, "gradient"))
          return tape.gradient(of: x)!.array()
        }
        let own = gradient(Parameter(name: "w", role: .decayed, matrix: matrix))
        #expect(own == gradient(Parameter(name: "w", role: .decayed, value: widened.tensor)))
        #expect(own.contains { $0 != 0 })
      }
    }
  }
}
