import CKernels
import Glibc
import RandomStreams
import Tensor
import Testing

/// Runs `body` under every kernel variant with the table in use.
private func forVariants(_ body: (Engine.Kernels, TensorKernels) -> Void) {
  for variant in Engine.Kernels.supported { withKernels(variant) { body(variant, unsafe tensorKernels().pointee) } }
}

/// Fails with the variant's name where the condition does not hold; cheaper to compile than many `#expect`.
private func require(_ condition: Bool, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
  if !condition { Issue.record("\(what)", sourceLocation: sourceLocation) }
}

extension EngineSuite {
  @Suite("Kernels of rows") struct RowKernelTests {
    @Test("exp is within 2 ulp, and right at its ends")
    func exponential() {
      var x = stride(from: Float(-86.9), to: 88.7, by: 0.00137).map { $0 }
      x += [0, -0.0, 1e-30, -1e-30, -86.9, 88.72283]
      forVariants { variant, kernels in
        var y = [Float](repeating: 0, count: x.count)
        unsafe kernels.temperedExponentials(&y, nil, x, 0, 1, x.count)
        let worst = zip(x, y).map { x, y in
          let exact = Glibc.exp(Double(x))
          return (Double(y) - exact).magnitude / Double(Float(exact).ulp)
        }.max()!
        require(worst <= 2, "\(variant): \(worst) ulp")
        let ends: [Float] = [-87, -1000, -.infinity, 89, .infinity, .nan]
        var at = [Float](repeating: 7, count: ends.count)
        unsafe kernels.temperedExponentials(&at, nil, ends, 0, 1, ends.count)
        require(at[0] == 0 && at[1] == 0 && at[2] == 0 && at[3] == .infinity && at[4] == .infinity, "\(variant): \(at)")
        require(at[5].isNaN, "\(variant): exp(nan) is \(at[5])")
      }
    }

    @Test("the index of the maximum is the first of equals", arguments: [1, 2, 17, 64, 300, 2000, 5000])
    func indexOfMaximum(count: Int) {
      // Few different values, so that ties abound.
      let x = normal([count], "maximum").tensor.array().map { ($0 * 8).rounded() }
      let first = x.firstIndex(of: x.max()!)!
      forVariants { variant, kernels in
        require(unsafe kernels.indexOfMaximum(x, count) == first, "\(variant), index of the maximum of \(count)")
      }
    }

    @Test(
      "the index of the maximum is -1 where any value is NaN, and 0 where all are -infinity", arguments: [1, 7, 5000])
    func unorderedMaximum(count: Int) {
      let x = [Float](repeating: -.infinity, count: count)
      forVariants { variant, kernels in
        require(unsafe kernels.indexOfMaximum(x, count) == 0, "\(variant), nothing above -infinity")
        for place in Set([0, count / 2, count - 1]) {
          var y = x
          y[place] = .nan
          require(unsafe kernels.indexOfMaximum(y, count) == -1, "\(variant), NaN at \(place) of \(count)")
        }
      }
    }

    @Test("tempered exponentials follow their definition, and the largest weighs 1 at any temperature")
    func temperedExponentials() {
      var x = normal([1031], "tempered").tensor.array()
      let largest = x.max()!
      x[5] = largest
      x[6] = -.infinity
      for scale in [Float(0.5), 1, 3, .infinity] {
        let expected = x.map { x in x == largest ? 0 : Double(largest - x) * Double(scale) }
        forVariants { variant, kernels in
          var weights = [Float](repeating: 7, count: x.count)
          var distances = weights
          unsafe kernels.temperedExponentials(&weights, &distances, x, largest, scale, x.count)
          expectClose(weights, expected.map { Glibc.exp(-$0) }, tolerance: 1e-6, "\(variant), weights at \(scale)")
          let exact = zip(distances, expected).allSatisfy { $0 == Float($1) }
          require(exact, "\(variant), distances at \(scale)")
          let before = weights
          unsafe kernels.temperedExponentials(&weights, nil, x, largest, scale, x.count)
          require(weights == before, "\(variant), without distances at \(scale)")
        }
      }
    }
  }

  @Suite("Dropout") struct DropoutTests {
    @Test("the mask is the halves of the stream's own draws, in order, from its next whole block")
    func mask() {
      for count in [1, 3, 4, 255, 256, 1000] {
        var reference = RandomStream(key: 0x1234_5678_9abc_def0, position: 6)
        let words = (0..<(count + 1) / 2).flatMap { _ -> [UInt32] in
          let draw = reference.next()
          return [UInt32(truncatingIfNeeded: draw), UInt32(truncatingIfNeeded: draw >> 32)]
        }
        let expected = words.prefix(count).map { Double($0) >= 0.25 * 0x1p32 ? Float(1 / 0.75) : 0 }
        for variant in Engine.Kernels.supported {
          let result = withKernels(variant) {
            var stream = RandomStream(key: 0x1234_5678_9abc_def0, position: 5)
            let tape = Tape(arena: Arena(), recording: true)
            let ones = Storage(shape: [1, count])
            ones.tensor.fill(1)
            let y = tape.dropout(tape.input(ones.tensor), probability: 0.25, stream: &stream).value.array()
            #expect(stream.position == UInt64(6 + (count + 3) / 4 * 2))
            return y
          }
          require(result == expected, "\(variant), \(count) elements")
        }
      }
    }

    @Test("the gradient passes where the value did")
    func gradient() {
      var stream = RandomStream(seed: 3, name: "dropout")
      let tape = Tape(arena: Arena(), recording: true)
      let x = normal([40, 1000], "x")
      let input = tape.input(x.tensor)
      let output = tape.dropout(input, probability: 0.5, stream: &stream)
      let ones = Storage(shape: [40, 1000])
      ones.tensor.fill(1)
      tape.backward(from: output, gradient: ones.tensor)
      let kept = zip(output.value.array(), x.tensor.array()).map { $0 == 2 * $1 ? Float(2) : 0 }
      #expect(tape.gradient(of: input)!.array() == kept)
      #expect((kept.reduce(0, +) / 80_000 - 0.5).magnitude < 0.01)
    }

    @Test("without recording, or with probability 0, it gives x itself and draws nothing")
    func identity() {
      var stream = RandomStream(seed: 3, name: "dropout")
      let x = normal([3, 3], "x")
      for (recording, probability) in [(false, Float(0.5)), (true, 0)] {
        let tape = Tape(arena: Arena(), recording: recording)
        let y = tape.dropout(tape.input(x.tensor), probability: probability, stream: &stream)
        #expect(unsafe y.value.base == x.tensor.base)
      }
      #expect(stream.position == 0)
    }
  }
}
