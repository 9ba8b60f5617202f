import Diagnostics
import RandomStreams
import Tensor
import Testing

@Suite("Tensors, storage and arena")
struct TensorTests {
  @Test("rows and reshaped tensors are views")
  func views() {
    let storage = Storage(shape: [4, 3])
    storage.tensor.copy(from: (0..<12).map(Float.init))
    let middle = storage.tensor.rows(1..<3)
    #expect(middle.array() == [3, 4, 5, 6, 7, 8])
    middle.reshaped([6]).fill(9)
    #expect(storage.tensor.array() == [0, 1, 2, 9, 9, 9, 9, 9, 9, 9, 10, 11])
  }

  @Test("an arena gives aligned tensors apart from each other and reuses its memory")
  func arena() {
    let arena = Arena()
    func step() -> [UInt] {
      (1...40).map { i in
        let tensor = arena.tensor([i * 1000 + 1])
        tensor.fill(Float(i))
        return unsafe UInt(bitPattern: tensor.base)
      }
    }
    _ = step()
    let peak = arena.peakBytes
    arena.reset()
    let first = step()
    arena.reset()
    #expect(step() == first)
    #expect(arena.peakBytes == peak)
    #expect(first.allSatisfy { $0 % 64 == 0 })
    #expect(
      zip(first, (1...40)).allSatisfy { start, i in !first.contains { $0 > start && $0 < start + UInt(i * 4000) } })
    #expect(peak >= (1...40).reduce(0) { $0 + ($1 * 1000 + 1) * 4 })
  }

  @Test("a tensor keeps its memory alive")
  func memory() {
    func make() -> Tensor {
      let tensor = Storage(shape: [1000]).tensor
      tensor.fill(3)
      return tensor
    }
    let tensors = (0..<20).map { _ in make() }
    #expect(tensors.allSatisfy { $0.array() == [Float](repeating: 3, count: 1000) })
  }

  @Test("a packing counts positions from 0 in each sequence")
  func packing() {
    let packing = Packing(lengths: [2, 0, 3])
    #expect(packing.offsets == [0, 2, 2, 5])
    #expect(packing.positions == [0, 1, 0, 1, 2])
    #expect(packing.rowCount == 5 && packing.sequenceCount == 3)
  }

  @Test("parameters start on cache lines, and an added one leaves the others' values alone")
  func parameters() {
    func make(_ names: [String]) -> ParameterBuffer {
      let buffer = ParameterBuffer(
        names.map {
          ParameterSpecification(
            name: $0, shape: [3, 5], role: .decayed, initialization: .normal(standardDeviation: 0.02))
        })
      var stream = RandomStream(seed: 1, name: "initialization")
      buffer.initialize(&stream)
      return buffer
    }
    let small = make(["a", "b"])
    let large = make(["a", "b", "c"])
    #expect(small["b"].value.array() == large["b"].value.array())
    #expect(small.offsets == [0, 16])
    #expect(!small["a"].trains && small.gradients == nil)
    small.allocateGradients(for: ParameterSelection { $0.name == "b" })
    #expect(!small["a"].trains && small["b"].trains)
    #expect(small.gradientOffsets == [nil, 0] && small.gradients!.count == 16)
    large.allocateGradients()
    #expect(large.gradientOffsets == large.offsets && large.gradients!.count == large.values.count)
    #expect(small.elementCount == 30 && small.values.count == 32)
  }

  @Test("no threads at all are refused")
  func noThreads() {
    #expect(throws: Diagnostic.self) { try Engine.configure(threads: 0) }
  }
}
