import Files
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Byte-pair training")
struct BPETrainerTests {
  @Test("learns the vocabulary and the merges that the reference learns, tie for tie")
  func reference() throws {
    let golden = try goldenJSON("training.json")
    let corpus = try golden.required("corpus").elements().map { try $0.string() }
    let file = try BPETrainer.trainByteLevel(
      texts: corpus, vocabularySize: try golden.required("vocabularySize").integer(),
      specialTokens: ["<|endoftext|>", "<pad>"])
    let expected = try golden.required("model")
    let actual = try JSONField(file).required("model")
    let merges = (try actual.required("merges").elements(), try expected.required("merges").elements())
    #expect(merges.0.count == merges.1.count)
    for (rank, (a, b)) in zip(merges.0, merges.1).enumerated() where a.value != b.value {
      Issue.record("merge \(rank) is \(a.value.text()), expected \(b.value.text())")
      break
    }
    let vocabulary = try expected.required("vocab").members()
    for (token, id) in vocabulary where file["model"]?["vocab"]?[token] != id.value {
      Issue.record("\(token) should be \(id.value)")
    }
    #expect(vocabulary.count > 400 && file["model"]?["vocab"]?.objectValue?.count == vocabulary.count)
  }

  @Test("what it gives loads, and any text makes the round trip")
  func loads() throws {
    let folder = try TemporaryFolder()
    let corpus = try goldenJSON("training.json").required("corpus").elements().map { try $0.string() }
    let file = try BPETrainer.trainByteLevel(texts: corpus, vocabularySize: 330, specialTokens: ["<|endoftext|>"])
    let tokenizer = try Tokenizer(file: folder.write(file.serialized(pretty: true), to: "tokenizer.json"))
    #expect(tokenizer.vocabularySize == 330 && tokenizer.id(of: "<|endoftext|>") == 0)
    for text in corpus + ["quite other words: ẞ \u{0}\u{10FFFF}"] {
      let ids = try tokenizer.encode(text)
      #expect(sameBytes(try tokenizer.decode(ids), text) && ids.count < text.utf8.count)
    }
    #expect(try tokenizer.encode("a<|endoftext|>") == tokenizer.encode("a") + [0])
  }

  @Test("special tokens within the texts count for nothing, and an exhausted text gives fewer tokens")
  func specialTokens() throws {
    let plain = try BPETrainer.trainByteLevel(texts: ["ab ab", "ab"], vocabularySize: 1000, specialTokens: ["<end>"])
    let marked = try BPETrainer.trainByteLevel(texts: ["ab ab<end>ab"], vocabularySize: 1000, specialTokens: ["<end>"])
    #expect(plain == marked)
    #expect(plain["model"]?["merges"] == [["a", "b"], ["Ġ", "ab"]])
  }

  @Test("a vocabulary too small for the bytes is a mistake")
  func tooSmall() async {
    await #expect(processExitsWith: .failure) {
      _ = try BPETrainer.trainByteLevel(texts: ["a"], vocabularySize: 256, specialTokens: ["<end>"])
    }
  }
}
