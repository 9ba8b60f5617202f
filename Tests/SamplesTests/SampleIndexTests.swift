import Diagnostics
import Files
import Fingerprints
import Glibc
import RandomStreams
import Samples
import Sequences
import TestSupport
import Testing
import Tokenizers

/// A builder over the toy tokenizer.
func toyBuilder(
  maximumLength: Int = 24, longPrompts: SampleBuilder.LongPrompts = .drop, template: Template = .plain
) throws -> SampleBuilder {
  var encoder = toyEncoder(prefix: [1])
  encoder.unknownTokenID = 116
  return try SampleBuilder(
    encoder: encoder, sequenceTokens: SequenceTokens(bos: "", eos: ""), template: template, eosTokenID: 2,
    maximumLength: maximumLength, maximumPromptLength: maximumLength - 10, longPrompts: longPrompts)
}

/// Rows of all sorts: some repeat, some have long prompts, long responses or none.
func toyLines(_ range: Range<Int>) -> String {
  var lines = ""
  for number in range {
    let letters = String(repeating: "ab", count: number % 23)
    switch number % 7 {
    case 0: lines += "{\"prompt\":\"\(letters)\",\"response\":\"c\(number % 10)\"}\n"
    case 1: lines += "{\"text\":\"text \(number)\"}\n"
    case 2: lines += "\n{\"prompt\":\"p\",\"response\":\"\"}\n"
    default: lines += "{\"prompt\":\"\(number)\",\"response\":\"\(letters)\"}\n"
    }
  }
  return lines
}

@Suite("An index of samples") struct SampleIndexTests {
  private let folder: TemporaryFolder
  private let options = Dataset.Options(emptyResponses: .skip)

  init() throws { folder = try TemporaryFolder() }

  private var place: String { folder.file("index") }

  private func build(
    _ path: String, _ options: Dataset.Options? = nil, _ builder: SampleBuilder? = nil, threads: Int = 2,
    onRows: (Int) throws -> Void = { _ in }
  ) throws -> SampleIndex {
    try SampleIndex(
      Dataset(DataFiles(path), options ?? self.options), builder ?? toyBuilder(), folder: place, threads: threads,
      onRows: onRows)
  }

  /// Expects the samples, counts and fingerprint that reading everything at once gives.
  private func check(_ index: SampleIndex, _ path: String, _ options: Dataset.Options, _ builder: SampleBuilder) throws
  {
    let dataset = try Dataset.load(path, options)
    let set = try SampleSet(dataset, builder)
    #expect(index.fingerprint == set.fingerprint && index.count == set.samples.count)
    #expect(index.account == set.account)
    #expect(index.counts.tokens == set.tokenCount && index.counts.scored == set.scoredCount)
    #expect(index.counts.responses == set.samples.count { $0.hasResponse })
    #expect(index.counts.longestSample == set.samples.map(\.tokenIDs.count).max())
    #expect(index.counts.longestPrompt == set.samples.map(\.promptLength).max())
    #expect(index.counts.mostScored == set.samples.map(\.scoredPositions.count).max())
    var position = 0
    try index.forEachEntry { number, entry in
      let sample = set.samples[position]
      #expect(number == position && entry.line == sample.line && entry.contentKey == sample.contentKey)
      #expect(entry.tokenCount == sample.tokenIDs.count && entry.scoredCount == sample.scoredPositions.count)
      #expect(entry.hasResponse == sample.hasResponse && entry.isCut == sample.isCut)
      position += 1
    }
    #expect(position == set.samples.count)
    for place in Set([0, 1, set.samples.count / 2, set.samples.count - 1, 999, 1000]) where place < set.samples.count {
      #expect(try index.sample(at: place) == set.samples[place])
      #expect(try index.row(at: place) == dataset.rows[set.rowIndices[place]])
    }
  }

  @Test("holds what reading all rows at once gives, whatever the number of threads", arguments: [1, 2, 5])
  func equal(threads: Int) throws {
    let path = try folder.write(toyLines(0..<9000), to: "d.jsonl")
    let index = try build(path, threads: threads)
    #expect(index.origin == .built && index.counts.dropped > 0 && index.counts.cut > 0)
    #expect(index.counts.duplicates > 0 && index.counts.unknownTokens > 0 && index.counts.emptyResponses > 0)
    try check(index, path, options, toyBuilder())
  }

  @Test("of prompts, of a JSON array and of plain texts is that of their rows") func forms() throws {
    let lines = toyLines(0..<300).split(separator: "\n")
    let files: [(String, Dataset.Options)] = [
      (lines.joined(separator: "\n"), .init(purpose: .prompts)),
      ("[\n" + lines.joined(separator: " ,\n") + "\n]\n", options),
      (lines.joined(separator: "\r\n"), .init(separator: .line)),
      (lines.joined(separator: "\n\n"), .init(separator: .blankLine)),
      (lines.joined(separator: "\n"), .init(separator: .literal("ab"))),
      ("one text", .init(separator: .file)),
    ]
    let builder = try toyBuilder(maximumLength: 60, longPrompts: .truncateLeft)
    for (number, (text, options)) in files.enumerated() {
      let path = try folder.write(text, to: "file\(number)")
      let index = try build(path, options, builder)
      if number > 0 { #expect(index.origin == .rebuilt(Self.otherRows)) }
      try check(index, path, options, builder)
    }
  }

  private static let otherRows = "the index that was there is of other rows, or of rows that were read in another way"

  @Test(
    "of real data is that of reading it at once", .needsSharedData,
    arguments: [
      ("instruct/alpaca/alpaca_5000.json", Template.alpaca, nil), ("instruct/dolly/valid.jsonl", .chatml, nil),
      ("text/tinyshakespeare/input.txt", .plain, TextSeparator.blankLine),
      ("text/tinystories/lowercase.txt", .plain, .literal("<|endoftext|>")),
    ] as [(String, Template, TextSeparator?)])
  func real(name: String, template: Template, separator: TextSeparator?) throws {
    let tokenizer = try Tokenizer(file: SharedData.path("tokenizers/gpt2/tokenizer.json"))
    let builder = try SampleBuilder(
      tokenizer: tokenizer, template: template, eosTokenID: 50_256, maximumLength: 200, longPrompts: .truncateLeft)
    let options = Dataset.Options(separator: separator, emptyResponses: .skip)
    let path = SharedData.path(name)
    try check(build(path, options, builder), path, options, builder)
  }

  @Test("of several and compressed files goes through them in order") func several() throws {
    let whole = try folder.write(toyLines(0..<5000), to: "whole.jsonl")
    let names = ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst"]
    for (number, name) in names.enumerated() {
      let text = Array(toyLines([0..<1200, 1200..<1201, 1201..<5000][number]).utf8)
      _ = try folder.write(number == 0 ? text : number == 1 ? Compressed.gzip(text) : Compressed.zstd(text), to: name)
    }
    let dataset = try Dataset(DataFiles(names.map(folder.file)), options, decompressedIn: place)
    let index = try SampleIndex(dataset, toyBuilder(), folder: place, threads: 2)
    let set = try SampleSet(Dataset.load(whole, options), toyBuilder())
    #expect(index.count == set.samples.count && index.counts.duplicates == set.duplicateCount)
    try index.forEachSample { number, sample in
      #expect(sample.tokenIDs == set.samples[number].tokenIDs)
    }
    let files = try [0, index.count - 1].map { try index[$0].file }
    #expect(files == [0, 2])
    #expect(index.account.path == "\(folder.file("a.jsonl")) and 2 more")
    // Found again without a row being read: there is nothing to tokenise with.
    var calls = 0
    let again = try SampleIndex(
      Dataset(DataFiles(names.map(folder.file)), options, decompressedIn: place), toyBuilder(), folder: place,
      threads: 2,
      onRows: { _ in calls += 1 })
    #expect(again.origin == .found && calls == 0 && again.counts == index.counts)
  }

  @Test("tells the first row that is wrong, whichever thread meets it") func faults() throws {
    let bad = toyLines(0..<9000) + "{\"prompt\":\n" + toyLines(0..<5000) + "{\"prompt\":7}\n"
    let path = try folder.write(bad, to: "d.jsonl")
    let line = toyLines(0..<9000).utf8.count { $0 == 0x0A } + 1
    for threads in [1, 3] {
      expectDiagnostic(file: path, line: line, saying: "is not valid JSON") { _ = try build(path, threads: threads) }
    }
    let array = try folder.write("[\n{\"text\":\"a\"}\n{\"text\":\"b\"}]", to: "a.json")
    expectDiagnostic(file: array, line: 3, saying: "expected a comma or ]") { _ = try build(array) }
    let empty = try folder.write("\n\n", to: "e.jsonl")
    expectDiagnostic(file: empty, saying: "has no rows") { _ = try build(empty) }
    let skipped = try folder.write("{\"prompt\":\"p\",\"response\":\"\"}\n", to: "s.jsonl")
    expectDiagnostic(file: skipped, saying: "the 1 left out for their empty responses") { _ = try build(skipped) }
    let long = try folder.write(
      "{\"prompt\":\"\(String(repeating: "x", count: 99))\",\"response\":\"r\"}\n", to: "l.jsonl")
    expectDiagnostic(file: long, saying: "has 1 rows, but the prompts of all are too long") { _ = try build(long) }
  }

  @Test("is built anew for other rows, other settings or another tokenizer") func rebuilt() throws {
    let path = try folder.write(toyLines(0..<500), to: "d.jsonl")
    #expect(try build(path).origin == .built)
    #expect(try build(path).origin == .found)
    #expect(try build(path, nil, toyBuilder(maximumLength: 25)).origin == .rebuilt(Self.otherRows))
    _ = try folder.write(toyLines(0..<501), to: "d.jsonl")
    let index = try build(path)
    #expect(index.origin == .rebuilt(Self.otherRows))
    try check(index, path, options, toyBuilder())
    // The same content under another name is the same data.
    #expect(try build(folder.write(toyLines(0..<501), to: "e.jsonl"), nil, toyBuilder()).origin == .found)
  }

  @Test("of a file that changes while it is open says so") func changed() throws {
    let path = try folder.write("{\"text\":\"first\"}\n{\"text\":\"second\"}\n", to: "d.jsonl")
    let index = try build(path)
    // In place, so that what is mapped changes.
    let descriptor = unsafe open(path, O_WRONLY)
    let written = unsafe pwrite(descriptor, "X", 1, 9)
    #expect(written == 1)
    close(descriptor)
    expectDiagnostic(.failure, file: path, line: 1, saying: "not what it was", "builds the index anew") {
      _ = try index.sample(at: 0)
    }
    #expect(try index.sample(at: 1).line == 2)
  }

  @Test("that another process is building is waited for by hand") func locked() throws {
    let path = try folder.write(toyLines(0..<100), to: "d.jsonl")
    try File.makeFolder(place)
    let lock = try FileLock(path: "\(place)/building.lock", owner: "test")
    expectDiagnostic(saying: "the index \(place) is in use by process") { _ = try build(path) }
    withExtendedLifetime(lock) {}
  }

  @Test("counts duplicates among many keys as a set does") func duplicates() throws {
    // More than one bucket of keys.
    var text = ""
    var stream = RandomStream(seed: 1, name: "duplicates")
    // A third of them the same, which all fall into one.
    for number in 0..<150_000 {
      text += "{\"text\":\"t\(number % 3 == 0 ? 7 : stream.below(200_000))\"}\n"
    }
    let path = try folder.write(text, to: "d.jsonl")
    let index = try build(path)
    var seen: Set<Fingerprint> = []
    try index.forEachEntry { _, entry in seen.insert(entry.contentKey) }
    #expect(index.counts.duplicates == index.count - seen.count)
    #expect(index.counts.duplicates > 30_000)
    #expect(try File.list(place).sorted() == ["building.lock", "data.mdb", "lock.mdb"])
  }
}
