import Diagnostics
import Divergences
import Fingerprints
import JSON
import LogitCache
import Models
import RandomStreams
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing

/// The same teacher wherever its signals come from: a model that runs here, a cache that it filled, one that runs beside the
/// student.
@Suite("Teachers") struct TeacherTests {
  private static let vocabulary = 60
  private let folder: TemporaryFolder
  private let model: any CausalLanguageModel
  private let identity: TeacherIdentity

  init() throws {
    folder = try TemporaryFolder()
    let configuration: JSONObject = [
      "model_type": "llama", "vocab_size": JSONValue(Self.vocabulary), "hidden_size": 16, "intermediate_size": 24,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32,
      "rms_norm_eps": 1e-5, "rope_theta": 10000, "tie_word_embeddings": false, "initializer_range": 0.5,
      "hidden_act": "silu",
    ]
    var stream = RandomStream(seed: 7, name: "teacher")
    model = try ModelStore.make(configuration, stream: &stream, trainable: false)
    identity = TeacherIdentity(
      model: ModelStore.fingerprint(of: model), numerics: Numerics(precision: "fp32", kernels: Engine.variant),
      tokenizer: Fingerprint(of: "tokenizer"), vocabularySize: Self.vocabulary, contextLength: 32, place: "here")
  }

  private func sequences(_ count: Int) -> [TokenSequence] {
    var stream = RandomStream(seed: 1, name: "sequences")
    return (0..<count).map { _ in
      let length = 2 + stream.below(20)
      return TokenSequence(
        tokenIDs: (0..<length).map { _ in Int32(stream.below(Self.vocabulary)) }, promptLength: stream.below(length))
    }
  }

  /// A cache of what the teacher says of some sequences.
  private func cache(of sequences: [TokenSequence], topK: Int = 8) throws -> LogitCache {
    let writer = try LogitCacheWriter(
      directory: folder.file("cache"),
      manifest: CacheManifest(
        teacher: identity.model, teacherPath: identity.place, precision: identity.numerics.precision,
        kernels: identity.numerics.kernels, tokenizer: identity.tokenizer, codec: .exact, topK: topK,
        vocabularySize: identity.vocabularySize))
    try writer.append(try LocalTeacher(model, identity: identity, topK: topK).samples(for: sequences))
    return writer.cache
  }

  @Test("what a cache kept of a teacher is what it says again") func cachedEqualsLocal() throws {
    let sequences = sequences(12)
    let asked = sequences.map { AskedSequence($0, name: "a row") }
    let cached = CachedTeacher(try cache(of: sequences), vocabulary: Self.vocabulary)
    let local = try LocalTeacher(model, identity: identity, topK: 8)
    #expect(local.identity.contextLength == 32 && cached.identity.contextLength == nil)
    #expect(cached.identity.model == local.identity.model && cached.identity.tokenizer == local.identity.tokenizer)
    for (kept, said) in zip(try cached.signals(for: asked), try local.signals(for: asked)) {
      guard case .sparse(let kept) = kept.signal, case .sparse(let said) = said.signal else {
        Issue.record("a signal that is not sparse")
        return
      }
      #expect(kept == said)
    }
  }

  @Test("a cached teacher makes no tokens that the record has") func readsRecordsAlone() throws {
    let sequence = sequences(1)[0]
    let cached = CachedTeacher(try cache(of: [sequence]), vocabulary: Self.vocabulary)
    let asked = AskedSequence(contentKey: sequence.fingerprint, name: "a row") {
      Issue.record("the row was read")
      return sequence
    }
    #expect(try cached.signals(for: [asked])[0].sequence == sequence)
  }

  @Test("a live teacher over the whole vocabulary is the local one that keeps all of it") func liveEqualsLocal() throws
  {
    let sequences = sequences(5).filter { !$0.scoredPositions.isEmpty }
    let live = LiveTeacher(model, identity: identity)
    let lessons = try live.signals(for: sequences.map { AskedSequence($0, name: "a row") })
    let batch = PackedBatch(lessons.map(\.sequence))
    let arena = Arena()
    guard case .dense(let teacher) = lessons[0].signal, case .dense = teacher.rows(of: batch, in: arena) else {
      Issue.record("a signal that is not dense")
      return
    }
    // Against itself a student of the same weights is at the optimum, by either teacher.
    let kept = try LocalTeacher(model, identity: identity, topK: Self.vocabulary).samples(for: sequences)
    var joined = kept[0].signal
    for sample in kept.dropFirst() { joined.append(sample.signal) }
    let tape = Tape(arena: arena, recording: false)
    let hidden = tape.gatherRows(model.hiddenStates(batch.tokens, batch.packing, on: tape), batch.scoredRows).value
    for rows in [teacher.rows(of: batch, in: arena), .sparse(joined)] {
      let sums = HeadLoss(divergence: .fkl).evaluate(
        hidden: hidden, head: Head(model.head, vocabulary: Self.vocabulary), targets: batch.targets, teacher: rows,
        arena: arena)
      #expect(sums.meanDivergence >= 0 && sums.meanDivergence < 1e-6)
    }
  }

  @Test("a sequence that the cache lacks, and an id that the student does not have, are refused by name") func refuses()
    throws
  {
    let sequences = sequences(3)
    let cache = try cache(of: [sequences[0]])
    expectDiagnostic(
      .failure, saying: "the record of rows.jsonl line 3 has gone from the cache", "run precompute again"
    ) {
      _ = try CachedTeacher(cache, vocabulary: Self.vocabulary).signals(
        for: [AskedSequence(sequences[1], name: "rows.jsonl line 3")])
    }
    guard !sequences[0].scoredPositions.isEmpty else { return }
    expectDiagnostic(saying: "rows.jsonl line 1", "beyond the common vocabulary of 4") {
      _ = try CachedTeacher(cache, vocabulary: 4).signals(for: [AskedSequence(sequences[0], name: "rows.jsonl line 1")])
    }
  }

  @Test("a top-k that does not fit, a context and a target beyond the ids that count are refused") func limits() throws
  {
    expectDiagnostic(field: "top_k", saying: "top-k of 61 does not fit a vocabulary of 60") {
      _ = try LocalTeacher(model, identity: identity, topK: 61)
    }
    let teacher = try LocalTeacher(model, identity: identity, topK: 4)
    let long = TokenSequence(tokenIDs: [Int32](repeating: 1, count: 34), promptLength: 1)
    expectDiagnostic(field: "max_length", saying: "sample 0", "the teacher, 32") {
      _ = try teacher.samples(for: [long])
    }
    var small = identity
    small.vocabularySize = 10
    expectDiagnostic(saying: "token id 12 is to be scored, beyond the first 10 ids") {
      _ = try LocalTeacher(model, identity: small, topK: 4).samples(
        for: [TokenSequence(tokenIDs: [1, 12], promptLength: 1)])
    }
  }
}
