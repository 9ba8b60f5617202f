import Evaluation
import Files
import Generation
import JSON
import Models
import TestSupport
import Testing
import Tokenizers

@Suite("The ids that a model may write")
struct WritableVocabularyTests {
  /// 300 tokens and, behind a hole of ten ids, one more.
  private func tokenizer() throws -> Tokenizer {
    let folder = try TemporaryFolder()
    var file = try #require(
      BPETrainer.trainByteLevel(
        texts: ["a few words, a few more words, and a few words to learn all the merges there are to learn of words"],
        vocabularySize: 290, specialTokens: ["<|endoftext|>"]
      ).objectValue)
    file["added_tokens"] = .array(
      (file["added_tokens"]?.arrayValue ?? []) + [["id": 300, "content": "<|late|>", "special": true]])
    return try Tokenizer(file: folder.write(JSONValue.object(file).text(), to: "tokenizer.json"))
  }

  private func vocabulary(
    _ size: Int, ends: [Int32] = [], taught: Int? = nil, suppressed: [Int32] = []
  ) throws -> WritableVocabulary {
    var model = try tinyModel("writable", vocabulary: size).configuration
    model.suppressedTokenIDs = suppressed
    return WritableVocabulary(model: model, tokenizer: try tokenizer(), ends: ends, taught: taught)
  }

  @Test("are those of its tokenizer's tokens, without holes and padding, and those that end a text")
  func tokens() throws {
    let own = try tokenizer()
    let holes = (Int32(0)..<300).filter { !own.hasToken($0) }
    #expect(!holes.isEmpty && holes.allSatisfy { $0 >= 257 })
    #expect(try vocabulary(320) == WritableVocabulary(count: 301, excluded: holes))
    #expect(try vocabulary(301).count == 301 && vocabulary(300).count == Int(holes[0]))
    #expect(try vocabulary(200) == WritableVocabulary(count: 200))
    // Some models end texts with an id that their tokenizer.json does not have.
    let ends = try vocabulary(320, ends: [holes[0], 310, 999])
    #expect(ends.count == 311 && !ends.excluded.contains(holes[0]) && ends.excluded.contains(309))
  }

  @Test("are no more than its teacher has, and none that it is told to suppress")
  func limits() throws {
    #expect(try vocabulary(320, taught: 100) == WritableVocabulary(count: 100))
    #expect(try vocabulary(320, taught: 100, suppressed: [5, 99]) == WritableVocabulary(count: 99, excluded: [5]))
  }

  @Test("are told of where some are left out")
  func notice() throws {
    let model = try tinyModel("writable", vocabulary: 320).configuration
    #expect(try vocabulary(320, taught: 300).notice(model, role: "the student")?.contains("of the 320 ids") == true)
    #expect(WritableVocabulary(count: 320).notice(model, role: "the student") == nil)
  }
}
