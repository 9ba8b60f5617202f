import Diagnostics
import Files
package import Provenance
import RandomStreams
import SafeTensors
package import Tensor

/// The vectors that a teacher gave the rows of a data set, in the file that `decant embed` wrote: read where they lie.
package final class TeacherVectors: Sendable {
  package let path: String
  package let rows: Int
  package let width: Int
  private let file: SafeTensorsFile

  private static let name = "embeddings"
  /// What such a file says of itself.
  private static let parts = ["model", "data", "tokenizer", "samples", "pooling", "normalize", "precision"]

  /// Opens a file.
  ///
  /// - Throws: a `Diagnostic` where it is missing, damaged, or holds no vectors of fp32.
  package init(path: String) throws {
    file = try SafeTensorsFile(path: path)
    let entry = try file.entry(Self.name)
    guard entry.shape.count == 2, entry.type == .float32, entry.shape[1] > 0 else {
      throw Diagnostic.input(
        "is \(entry.type.rawValue) of shape \(entry.shape), where F32 of [rows, width] is expected", file: path,
        field: Self.name, remedy: "write it with `decant embed`")
    }
    (self.path, rows, width) = (path, entry.shape[0], entry.shape[1])
  }

  /// What it was made from, in a line: nil where the file does not say.
  package var origin: String? {
    let known = Self.parts.compactMap { part in file.metadata[part].map { "\(part) \($0)" } }
    return known.count == Self.parts.count ? known.joined(separator: ", ") : nil
  }

  /// Refuses vectors that are of other rows.
  ///
  /// - Parameters:
  ///   - data: The rows' content, as a run pins it.
  ///   - count: How many there are.
  /// - Throws: a `Diagnostic` of category `input` with both values.
  package func check(data: Provenance.Part, count: Int) throws {
    let remedy = "write them anew with `decant embed`, from the same rows"
    guard origin != nil, let theirs = file.metadata["data"] else {
      throw Diagnostic.input(
        "does not say which teacher gave these vectors to which rows", file: path, field: "data", remedy: remedy)
    }
    guard theirs == data.content else {
      throw Diagnostic.input(
        "holds vectors of other rows: data is \(data.content)\(data.place.map { " (\($0))" } ?? "") now, \(theirs) then",
        file: path, field: "data", remedy: remedy)
    }
    guard rows == count else {
      throw Diagnostic.input(
        "holds \(rows) vectors, and the student reads \(count) rows", file: path, field: Self.name, remedy: remedy)
    }
  }

  /// The vectors of some rows, one after the other, in memory of the arena.
  ///
  /// - Parameter normalized: Whether each is given the length 1.
  package func vectors(of rows: [Int], normalized: Bool, in arena: Arena) throws -> Tensor {
    let vectors = arena.tensor([rows.count, width]), bytes = width * MemoryLayout<Float>.size
    try unsafe file.withBytes(of: Self.name) { source in
      let target = unsafe UnsafeMutableRawBufferPointer(vectors.elements)
      for (place, row) in rows.enumerated() {
        let part = unsafe UnsafeRawBufferPointer(rebasing: source[row * bytes..<(row + 1) * bytes])
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[place * bytes..<(place + 1) * bytes]).copyMemory(
          from: part)
      }
    }
    guard normalized else { return vectors }
    let tape = Tape(arena: arena, recording: false)
    return tape.unitRows(tape.input(vectors)).value
  }
}

/// The bank of a step: rows drawn uniformly, each at most once, from those that are not among the step's own.
package struct BankSample {
  private let stream: RandomStream
  private let count: Int
  private let total: Int

  /// - Precondition: there are `count` rows beside those of a step.
  package init(count: Int, of total: Int, seed: UInt64) {
    (self.count, self.total) = (count, total)
    stream = RandomStream(seed: seed, name: "bank")
  }

  /// The rows of a step: a function of seed, step and the step's own rows.
  package func rows(step: Int, beside own: [Int]) -> [Int] {
    let taken = Set(own).sorted(), others = total - taken.count
    precondition(count <= others, "a bank of \(count) from \(others) rows")
    var stream = stream.split(UInt64(step)), drawn: Set<Int> = []
    // Floyd's way (Bentley and Floyd, CACM 30, 1987): every subset is as likely, and nothing of the size of all is kept.
    for last in others - count..<others {
      let number = stream.below(last + 1)
      if !drawn.insert(number).inserted { drawn.insert(last) }
    }
    // The n-th of the rows that are not taken.
    var passed = 0
    return drawn.sorted().map { number in
      while passed < taken.count, taken[passed] <= number + passed { passed += 1 }
      return number + passed
    }
  }
}
