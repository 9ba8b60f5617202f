import RandomStreams
import Tensor
import Testing

extension EngineSuite {
  @Suite("A recomputed stretch of a tape") struct RecomputedTests {
    /// Everything that a pass over some stretches shows.
    private struct Outcome: Equatable {
      var output: [Float]
      var inputGradient: [Float]
      var parameterGradients: [Float]
      var stream: RandomStream
    }

    private static let rows = 37, width = 48

    /// Parameters of a stretch: a norm and two layers, one weight of them frozen.
    private static func parameters() -> ParameterBuffer {
      let shapes = ["gain": [width], "bias": [width], "up": [2 * width, width], "down": [width, 2 * width]]
      let buffer = ParameterBuffer(
        shapes.sorted { $0.key < $1.key }.map {
          ParameterSpecification(
            name: $0.key, shape: $0.value, role: .decayed, initialization: .normal(standardDeviation: 0.3))
        })
      var stream = RandomStream(seed: 4, name: "parameters")
      buffer.initialize(&stream)
      buffer.allocateGradients(for: ParameterSelection { !["up", "bias"].contains($0.name) })
      return buffer
    }

    /// `x + dropout(W2 gelu(W1 norm(x)))`.
    private static func stretch(
      _ tape: Tape, _ x: Variable, _ stream: inout RandomStream, _ parameters: ParameterBuffer
    ) -> Variable {
      let normed = tape.layerNorm(x, gain: parameters["gain"], bias: parameters["bias"], epsilon: 1e-5)
      let wide = tape.activation(tape.linear(normed, parameters["up"]), .geluTanh)
      let narrow = tape.linear(wide, parameters["down"])
      return tape.add(x, tape.dropout(narrow, probability: 0.3, stream: &stream))
    }

    private static func run(
      stretches: Int, recomputed: Bool, recording: Bool = true
    ) -> (outcome: Outcome, peak: Int, kept: Int) {
      let (arena, parameters) = (Arena(), parameters())
      let tape = Tape(arena: arena, recording: recording)
      var (stream, values) = (RandomStream(seed: 2, name: "dropout"), RandomStream(seed: 2, name: "values"))
      let input = arena.tensor([rows, width])
      input.fillNormal(standardDeviation: 1, &values)
      let x = tape.input(input)
      var y = x
      for _ in 0..<stretches {
        y =
          recomputed
          ? tape.recomputed(y, stream: &stream) { stretch($0, $1, &$2, parameters) }
          : stretch(tape, y, &stream, parameters)
      }
      let kept = arena.usedBytes
      let moved = stream
      if recording {
        let upstream = arena.tensor([rows, width])
        upstream.fillNormal(standardDeviation: 1, &values)
        tape.backward(from: y, gradient: upstream)
      }
      #expect(stream == moved, "the backward pass moved the stream")
      let outcome = Outcome(
        output: y.value.array(), inputGradient: recording ? tape.gradient(of: x)!.array() : [],
        parameterGradients: parameters.gradients!.array(), stream: stream)
      return (outcome, arena.peakBytes, kept)
    }

    @Test("values, gradients and the place in the random stream, with dropout and frozen parameters")
    func sameBits() {
      for stretches in 1...3 {
        let plain = Self.run(stretches: stretches, recomputed: false)
        let recomputed = Self.run(stretches: stretches, recomputed: true)
        #expect(recomputed.outcome == plain.outcome)
        #expect(plain.outcome.stream != RandomStream(seed: 2, name: "dropout"))
        #expect(plain.outcome.parameterGradients.contains { $0 != 0 })
      }
    }

    @Test("each stretch keeps its result alone, and the peak grows by no more")
    func memory() {
      let one = Self.run(stretches: 1, recomputed: true), nine = Self.run(stretches: 9, recomputed: true)
      #expect(nine.kept - one.kept == 8 * Self.rows * Self.width * 4)
      // The second stretch from the end adds the one gradient that passes from stretch to stretch.
      #expect(nine.peak - one.peak <= 9 * Self.rows * Self.width * 4)
    }

    @Test("a tape that does not record keeps the result alone and runs nothing twice")
    func notRecording() {
      let plain = Self.run(stretches: 5, recomputed: false, recording: false)
      let recomputed = Self.run(stretches: 5, recomputed: true, recording: false)
      #expect(recomputed.outcome == plain.outcome)
      #expect(recomputed.kept == 6 * Self.rows * Self.width * 4)
      #expect(recomputed.peak < plain.peak)
    }

    @Test("the gradient of an input that is used elsewhere too is the sum, and that of an unused one is zero")
    func sharedInput() {
      let arena = Arena()
      let tape = Tape(arena: arena, recording: true)
      let values = arena.tensor([2, 3])
      values.copy(from: [1, 2, 3, 4, 5, 6])
      let (x, unused) = (tape.input(values), tape.input(values))
      let doubled = tape.recomputed(x) { $0.add($1, $1) }
      let constant = tape.recomputed(unused) { tape, _ in tape.input(values) }
      let upstream = arena.tensor([2, 3])
      upstream.fill(10)
      tape.backward(from: tape.add(tape.add(doubled, x), constant), gradient: upstream)
      #expect(tape.gradient(of: x)!.array() == [Float](repeating: 30, count: 6))
      #expect(tape.gradient(of: unused)!.array() == [Float](repeating: 0, count: 6))
    }
  }
}
