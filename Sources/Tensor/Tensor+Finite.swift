extension Tensor {
  /// The element at a flat index, for messages and checks that must not see an address.
  package subscript(_ index: Int) -> Float {
    precondition(index >= 0 && index < count, "no element \(index) in \(shape)")
    return unsafe base[index]
  }

  /// Flat index of the first NaN or infinity, nil where every element is finite.
  package var firstNonFinite: Int? {
    // x - x is 0 for a finite x and NaN for any other, so the sum of a block tells at the speed of memory.
    let block = 4096
    for start in stride(from: 0, to: count, by: block) {
      let end = min(start + block, count)
      var bits: UInt32 = 0
      for index in start..<end {
        let value = unsafe base[index]
        bits |= (value - value).bitPattern
      }
      if bits & 0x7fff_ffff != 0 {
        return (start..<end).first { unsafe !base[$0].isFinite }
      }
    }
    return nil
  }
}
