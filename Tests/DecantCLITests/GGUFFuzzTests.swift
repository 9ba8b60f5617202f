import Files
import Models
import Tensor
import TestSupport
import Testing
import Tokenizers

/// As ``FuzzTests``, in a process of their own in `make faults` too.
@Suite("Mutations of a GGUF file", .serialized, .timeLimit(.minutes(30))) struct GGUFFuzzTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let golden = "\(SharedData.packageRoot)/Tests"

  /// Metadata and list of tensors of a model, with the tensors' bytes as they are behind.
  @Test("a model and its tokenizer, all the way to logits' parameters") func model() throws {
    let models = try ["llama-quantised", "gpt2-quantised"].map {
      try File.read("\(Self.golden)/ModelsTests/Golden/gguf/\($0).gguf")
    }
    // The data of either begins on a multiple of 32 behind the last tensor's entry.
    let headers = models.map { Array($0.prefix(8192)) }
    let rest = models.map { $0.dropFirst(8192) }
    Fuzz.run("GGUF model", headers, .bytes) { header, number in
      let path = try folder.write(header + rest[number / 4 % 2], to: "fuzz.gguf")
      let loaded = try ModelStore.load(path, trainable: false, precision: number.isMultiple(of: 3) ? .bf16 : .fp32)
      #expect(loaded.model.parameters.elementCount < 1 << 24)
      let tokenizer = try Tokenizer(directory: path)
      _ = try tokenizer.decode(tokenizer.encode("the and\n<0x41>é", addSpecialTokens: true))
    }
  }

  @Test("a tokenizer, and texts through it") func tokenizer() throws {
    let folderOfGolden = "\(Self.golden)/TokenizersTests/Golden/gguf"
    let originals = try ["gpt-2", "llama", "gemma3", "nemo", "t5", "bert"].map {
      try File.read("\(folderOfGolden)/\($0).gguf")
    }
    Fuzz.run("GGUF tokenizer", originals, .bytes) { bytes, _ in
      let tokenizer = try Tokenizer(directory: folder.write(bytes, to: "fuzz.gguf"))
      for text in ["", "It's  the 2nd of 3 lessons\n", " é\u{301}漢\u{1F600}\u{0}", String(repeating: "ab ", count: 40)]
      {
        _ = try tokenizer.decode(tokenizer.encode(text, addSpecialTokens: true), skipSpecialTokens: false)
      }
    }
  }
}
