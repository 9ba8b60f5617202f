import Tensor
import Testing

@Suite("An arena")
struct ArenaTests {
  private func address(_ tensor: Tensor) -> UInt { unsafe UInt(bitPattern: tensor.base) }

  @Test("what is handed out in a scratch stretch is handed out again, and counts once")
  func scratch() {
    let arena = Arena()
    let kept = arena.tensor([100])
    kept.fill(1)
    let addresses = (0..<3).map { round in
      arena.scratch {
        let first = arena.tensor([1000])
        first.fill(Float(round))
        arena.scratch { arena.tensor([5000]).fill(9) }
        let second = arena.tensor([3000])
        second.fill(7)
        #expect(first.array() == [Float](repeating: Float(round), count: 1000))
        return address(second)
      }
    }
    #expect(Set(addresses).count == 1)
    #expect(arena.usedBytes == 112 * 4)
    #expect(arena.peakBytes == (112 + 1008 + 5008) * 4)
    #expect(kept.array() == [Float](repeating: 1, count: 100))
  }

  @Test("a scratch stretch ends where its body throws")
  func throwing() {
    struct Stop: Error {}
    let arena = Arena()
    #expect(throws: Stop.self) {
      try arena.scratch {
        _ = arena.tensor([1000])
        throw Stop()
      }
    }
    #expect(arena.usedBytes == 0)
  }

  /// The result lies behind what is taken back, at its front, in another block of memory, and outside it.
  @Test("the result of a stretch survives and the rest is taken back", arguments: [0, 16, 300, 2 << 20])
  func keepsResult(before: Int) {
    let arena = Arena()
    let outside = arena.tensor([500])
    let values = (0..<500).map(Float.init)
    outside.copy(from: values)
    let kept = arena.keepingResult {
      if before > 0 { arena.tensor([before]).fill(-1) }
      let result = arena.tensor([500])
      result.copy(from: values)
      arena.tensor([700]).fill(-2)
      return result
    }
    let same = arena.keepingResult { outside }
    #expect(kept.array() == values && same.array() == values && outside.array() == values)
    #expect(address(same) == address(kept) + 512 * 4)
    #expect(arena.usedBytes == 3 * 512 * 4)
  }

  @Test("memory reserved beforehand is allocated once, and grows where it is not enough")
  func reserves() {
    func allocations(reserving bytes: Int) -> Int {
      let arena = Arena()
      arena.reserve(bytes: bytes)
      for _ in 0..<3 {
        for _ in 0..<20 { arena.tensor([1 << 18]).fill(1) }
        arena.reset()
      }
      arena.reserve(bytes: 1000)
      return arena.allocations
    }
    #expect(allocations(reserving: 20 << 20) == 1)
    #expect(allocations(reserving: 40 << 20) == 1)
    // A second block, then both in one.
    #expect(allocations(reserving: 19 << 20) == 3)
    #expect(allocations(reserving: 0) > 3)
  }

  @Test("what the system does not give is said with its size, and ends the process as a failure")
  func noMemory() async {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      _ = Arena().tensor([1 << 45])
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("memory ran out: \(1 << 47) bytes") && said.contains("remedy"), "\(said)")
  }
}
