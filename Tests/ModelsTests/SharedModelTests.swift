import Files
import JSON
import Models
import TestSupport
import Testing
import Tokenizers

@Suite("Real models on real texts", .needsSharedData)
struct SharedModelTests {
  static func text(_ name: String) throws -> String {
    String(decoding: try File.read(SharedData.path("text/\(name)")), as: UTF8.self)
  }

  /// The five cased stories, without the white space around them.
  static func stories() throws -> [String] {
    try text("tinystories/cased_sample.txt").split(separator: "<|endoftext|>", omittingEmptySubsequences: true)
      .map { story in
        let trimmed = story.drop(while: \.isWhitespace)
        return String(trimmed.reversed().drop(while: \.isWhitespace).reversed())
      }.filter { !$0.isEmpty }
  }

  @Test("every story's nll by stories260K is within 1e-3 of transformers'")
  func stories260K() throws {
    let folder = SharedData.path("models/stories260K")
    let model = try ModelStore.load(folder, trainable: false).model
    let tokenizer = try Tokenizer(directory: folder)
    let golden = try JSONValue.parse(try File.read(SharedData.path("golden/stories260K_nll.json")))
    var total = 0.0, count = 0
    for (story, expected) in zip(try Self.stories(), golden["stories"]!.arrayValue!) {
      let ids = Array(try ([1] + tokenizer.encode(story)).prefix(512))
      let firstIDs = expected["first_ids"]!.arrayValue!.map { Int32($0.intValue!) }
      #expect(Array(ids.prefix(firstIDs.count)) == firstIDs)
      let result = CrossEntropy(model, [ids])
      #expect(result.losses.count == expected["tokens"]!.intValue!)
      expectClose(result.mean, expected["nll"]!.doubleValue!, absolute: 1e-3)
      total += result.losses.reduce(0, +)
      count += result.losses.count
    }
    #expect(count == golden["tokens"]!.intValue!)
    expectClose(total / Double(count), golden["nll"]!.doubleValue!, absolute: 1e-3)
  }

  @Test(
    "the nll by babyllama, teacher and student, is within 1e-3 of transformers'",
    arguments: [("teacher", 0.5541), ("student", 0.6124)])
  func babyllama(_ name: String, _ expected: Double) throws {
    let folder = SharedData.path("models/babyllama/\(name)")
    let model = try ModelStore.load(folder, trainable: false).model
    let tokenizer = try Tokenizer(directory: folder)
    let losses = try Self.stories().flatMap { story in
      let text = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      return CrossEntropy(model, [try [1] + tokenizer.encode(text).prefix(255)]).losses
    }
    expectClose(losses.reduce(0, +) / Double(losses.count), expected, absolute: 1e-3)
  }

  @Test("the nll by shakespeare-gpt2 of its text's last tenth, in windows of 48, is within 1e-3 of transformers'")
  func shakespeare() throws {
    let folder = SharedData.path("models/shakespeare-gpt2")
    let model = try ModelStore.load(folder, trainable: false).model
    let ids = try Tokenizer(directory: folder).encode(try Self.text("tinyshakespeare/input.txt"))
    let held = Array(ids[(ids.count * 9 / 10)...])
    let windows = stride(from: 0, to: held.count - 49, by: 48).map { held[$0..<$0 + 49] }
    let losses = stride(from: 0, to: windows.count, by: 16).flatMap { start in
      let batch = windows[start...].prefix(16)
      return CrossEntropy(model, batch.map { Array($0.dropLast()) }, next: batch.map { $0.last! }).losses
    }
    expectClose(losses.reduce(0, +) / Double(losses.count), 1.809, absolute: 1e-3)
  }
}
