import Synchronization
import Tensor
import Testing

extension EngineSuite {
  @Suite("Threads, cache and tape") struct EngineTests {
    @Test("every task runs once, also inside tasks and from several threads at a time")
    func everyTaskOnce() async {
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 {
          group.addTask {
            let counts = Mutex([Int](repeating: 0, count: 50 * 7))
            for _ in 0..<20 {
              Engine.parallel(50) { outer in
                Engine.parallel(7) { inner in counts.withLock { $0[outer * 7 + inner] += 1 } }
              }
            }
            return counts.withLock { $0.allSatisfy { $0 == 20 } }
          }
        }
        for await right in group { #expect(right) }
      }
    }

    @Test("ranges make up the whole without overlap", arguments: [0, 1, 9, 10, 11, 100, 101])
    func ranges(count: Int) {
      let seen = Mutex([Range<Int>]())
      Engine.parallel(count: count, grain: 10) { range in seen.withLock { $0.append(range) } }
      let sorted = seen.withLock { $0 }.sorted { $0.lowerBound < $1.lowerBound }
      #expect(sorted.flatMap(Array.init) == Array(0..<count))
    }

    @Test(
      "attention against a cache gives what attention over the whole text gives, whatever the pieces",
      arguments: Precision.allCases,
      [
        AttentionForm(heads: 4, keyValueHeads: 2, scale: 0.2),
        AttentionForm(heads: 4, keyValueHeads: 2, scale: 0.2, span: .window(40), softCap: 0.5),
        AttentionForm(heads: 4, keyValueHeads: 2, scale: 0.2, span: .window(1)),
      ])
    func cachedAttention(precision: Precision, form: AttentionForm) {
      let (heads, keyHeads, d, length) = (4, 2, 27, 150)
      let (q, k, v) = (
        normal([length, heads * d], "q"), normal([length, keyHeads * d], "k"), normal([length, keyHeads * d], "v")
      )
      let tape = Tape(arena: Arena(), recording: false, precision: precision)
      let whole = tape.attention(
        queries: tape.input(q.tensor), keys: tape.input(k.tensor), values: tape.input(v.tensor),
        packing: Packing(lengths: [length]), form: form
      ).value
      for variant in Engine.Kernels.supported {
        for pieces in [[150], [1, 1, 1, 147], [70, 1, 79]] {
          // The second of three texts, so that its rows in bf16 begin in the middle of a word.
          let held = (0..<2).map { _ in
            CachedLayer(
              texts: 3, heads: keyHeads, capacity: length + 3, columns: d, precision: precision, arena: tape.arena)
          }
          var start = 0
          for piece in pieces {
            let rows = start..<start + piece
            let output = Storage(shape: [piece, heads * d])
            let cached = held.map { [$0.rows(text: 1, length: start + piece)] }
            withKernels(variant) {
              CachedAttention.attend(
                queries: q.tensor.rows(rows), keys: k.tensor.rows(rows), values: v.tensor.rows(rows),
                packing: Packing(lengths: [piece]), cachedKeys: cached[0], cachedValues: cached[1], form: form,
                into: output.tensor)
            }
            expectClose(
              output.tensor.array(), whole.rows(rows).array().map(Double.init), tolerance: 2e-6, "\(variant), \(rows)")
            start += piece
          }
        }
      }
    }

    @Test("attention in bf16 has the bits, and the gradients, of fp32 with rounded keys and values")
    func attentionBF16() {
      let packing = Packing(lengths: [5, 90, 1])
      let (q, k, v, upstream) = (
        normal([96, 40], "q"), normal([96, 20], "k"), normal([96, 20], "v"), normal([96, 40], "upstream")
      )
      func rounded(_ storage: Storage) -> Tensor { BFloat16Matrix(rounding: storage.tensor).widened().tensor }
      func attend(_ k: Tensor, _ v: Tensor, _ precision: Precision) -> [[Float]] {
        let tape = Tape(arena: Arena(), recording: true, precision: precision)
        let inputs = [q.tensor, k, v].map { tape.input($0) }
        let output = tape.attention(
          queries: inputs[0], keys: inputs[1], values: inputs[2], packing: packing,
          form: AttentionForm(heads: 4, keyValueHeads: 2, scale: 0.3))
        tape.backward(from: output, gradient: upstream.tensor)
        return [output.value.array()] + inputs.map { tape.gradient(of: $0)!.array() }
      }
      let halved = attend(k.tensor, v.tensor, .bf16)
      #expect(halved == attend(rounded(k), rounded(v), .fp32))
      #expect(halved != attend(k.tensor, v.tensor, .fp32))
    }

    @Test("a sequence's attention has the same bits alone and in company")
    func attentionAlone() {
      let lengths = [5, 90, 3]
      let packing = Packing(lengths: lengths)
      let (q, k, v) = (
        normal([packing.rowCount, 32], "q"), normal([packing.rowCount, 16], "k"), normal([packing.rowCount, 16], "v")
      )
      func attend(_ rows: Range<Int>, _ packing: Packing) -> [Float] {
        let tape = Tape(arena: Arena(), recording: false)
        return tape.attention(
          queries: tape.input(q.tensor.rows(rows)), keys: tape.input(k.tensor.rows(rows)),
          values: tape.input(v.tensor.rows(rows)), packing: packing,
          form: AttentionForm(heads: 4, keyValueHeads: 2, scale: 0.3)
        ).value.array()
      }
      let all = attend(0..<packing.rowCount, packing)
      for (i, length) in lengths.enumerated() {
        let rows = packing.rows(i)
        #expect(attend(rows, Packing(lengths: [length])) == Array(all[rows.lowerBound * 32..<rows.upperBound * 32]))
      }
    }

    @Test("a tape that does not record gives the same values, and a frozen parameter gets no gradient")
    func frozen() {
      let buffer = ParameterBuffer([
        ParameterSpecification(name: "w", shape: [5, 4], role: .decayed, initialization: .ones),
        ParameterSpecification(name: "b", shape: [5], role: .undecayed, initialization: .ones),
      ])
      buffer["w"].value.fill(0.5)
      buffer["b"].value.fill(1)
      buffer.allocateGradients(for: ParameterSelection { $0.name == "b" })
      let x = normal([3, 4], "x")
      let upstream = normal([3, 5], "upstream")
      let recording = Tape(arena: Arena(), recording: true)
      let y = recording.linear(recording.input(x.tensor), buffer["w"], bias: buffer["b"])
      recording.backward(from: y, gradient: upstream.tensor)
      let plain = Tape(arena: Arena(), recording: false)
      #expect(plain.linear(plain.input(x.tensor), buffer["w"], bias: buffer["b"]).value.array() == y.value.array())
      #expect(!buffer["w"].trains && buffer.gradients!.count == 16)
      #expect(buffer["b"].gradient!.array().contains { $0 != 0 })
    }

    @Test("gradients accumulate over backward passes")
    func accumulation() {
      let buffer = ParameterBuffer([
        ParameterSpecification(name: "w", shape: [5, 4], role: .decayed, initialization: .ones)
      ])
      buffer.allocateGradients()
      let (x, upstream) = (normal([3, 4], "x"), normal([3, 5], "upstream"))
      func pass() -> [Float] {
        let tape = Tape(arena: Arena(), recording: true)
        tape.backward(from: tape.linear(tape.input(x.tensor), buffer["w"]), gradient: upstream.tensor)
        return buffer["w"].gradient!.array()
      }
      let once = pass()
      #expect(pass() == once.map { 2 * $0 })
    }

    @Test("the summary names library, kernels and threads")
    func summary() {
      let summary = Engine.summary
      #expect(summary.hasPrefix("own matrix kernels, \(Engine.kernels.rawValue), "))
    }
  }
}
