import Diagnostics
import Fingerprints
import HTTP
import Interchange
public import JSON
public import Sequences
import TeacherSignal
import Telemetry
import Threads
public import Tokenizers

/// A model behind a server that reports the most probable ids of each token of a prompt (vLLM, SGLang, and what speaks as
/// OpenAI's completions did): asked over http, several requests at a time.
///
/// What it says is kept with a tail that is derived (``SparseSignal/Kind/derivedTail``). Before anything else it is asked about a
/// canary, which is part of what it is: see ``origin``.
public final class ServedTeacher: Teacher {
  public let identity: TeacherIdentity
  public let parameterBytes = 0
  /// What it can be asked about.
  public let limits: SequenceLimits
  /// Who it is, to be kept beside what it says: protocol, name and model, and its answer to the canary with its repeat noise.
  public let origin: JSONObject?
  private let client: ServerClient
  private let pool: WorkerPool<Question, SparseSignal>
  private let inFlight: Int

  private struct Question: Sendable {
    var sequence: TokenSequence
    var name: String
  }

  /// Finds out who the server is, and whether it is who it was.
  ///
  /// - Parameters:
  ///   - tokenizer: Of the server's model.
  ///   - topK: Entries kept of each position.
  ///   - vocabulary: Ids that its distributions are over; the tokenizer's where nil.
  ///   - known: ``origin`` of the server that was asked before; nil for the first time.
  /// - Throws: a `Diagnostic` where the server cannot be asked, has several models, says of the canary's tokens what is not
  ///   theirs, or is another one.
  public convenience init(
    _ settings: ServedSettings, tokenizer: TokenizerBundle, topK: Int, vocabulary: Int? = nil, known: JSONObject? = nil
  ) throws {
    try self.init(settings, tokenizer: tokenizer, topK: topK, vocabulary: vocabulary, known: known, pause: 0.25)
  }

  /// - Parameter pause: Seconds before a request is made again.
  package init(
    _ settings: ServedSettings, tokenizer: TokenizerBundle, topK: Int, vocabulary: Int?, known: JSONObject?,
    pause: Double
  ) throws {
    try settings.validate()
    let size = vocabulary ?? tokenizer.tokenizer.vocabularySize
    guard topK >= 1 && topK <= size else {
      throw Diagnostic.input(
        "top-k of \(topK) does not fit a vocabulary of \(size)", field: "top_k",
        remedy: "choose one between 1 and \(size)")
    }
    let client = try ServerClient(settings, pause: pause)
    let connection = try client.connect()
    let server = try ServerDescription(settings, client, connection)
    let wire = Wire(format: server.format, model: server.model, topK: topK)
    let longest = server.context.map { $0 - Wire.surplus } ?? Limits.sequence
    limits = SequenceLimits(
      role: "the teacher", vocabulary: max(size, tokenizer.tokenizer.vocabularySize), context: longest - 1)
    let asking = Asking(
      wire: wire, client: client, tokenizer: tokenizer.tokenizer,
      reader: AnswerReader(
        wire.format, topK: topK, vocabularySize: size,
        texts: try wire.format == .openai ? TokenTexts(tokenizer.tokenizer, vocabularySize: size) : nil))
    let test = try SelfTest(
      asking, connection, settings, server, known: known, longest: longest)
    let asked = test.asking
    pool = try WorkerPool(threads: settings.inFlight) {
      let connection = try client.connect()
      return { question in try asked.signal(of: question.sequence, name: question.name, over: connection) }
    }
    inFlight = settings.inFlight
    self.client = client
    origin = test.origin
    let name = settings.name ?? server.model
    identity = TeacherIdentity(
      model: Fingerprint(of: "served\n\(wire.format.rawValue)\n\(name)\n\(size)\n"),
      numerics: .init(precision: "served", kernels: wire.format.rawValue), tokenizer: tokenizer.fingerprint,
      vocabularySize: size, contextLength: server.context, place: client.endpoint.description)
    Log.info(
      "\(client.endpoint) serves \(server.model) in the way of \(wire.format.rawValue), "
        + (server.context.map { "\($0) tokens" } ?? "it does not say how many tokens")
        + " at most; repeat noise \(test.noise) nats")
  }

  deinit {
    client.close()
    pool.close()
  }

  /// The sequences with their signals, asked for in requests of their own, at most so many at a time as the settings say.
  ///
  /// - Throws: `Interrupted` where a signal came; a `Diagnostic` where a sequence does not fit, the server does not answer, or what
  ///   it says is not of the sequence: see ``ServerClient/ask(_:_:body:limit:name:)`` and `AnswerReader`.
  public func signals(for sequences: [AskedSequence]) throws -> [Lesson] { try begin(sequences).value() }

  public var requestsAhead: Int { 2 * inFlight }

  public func begin(_ sequences: [AskedSequence]) throws -> PendingLessons {
    let questions = try sequences.map { asked in
      let sequence = try asked.sequence()
      try limits.check(sequence.tokenIDs, inputs: sequence.count - 1, name: asked.name)
      return Question(sequence: sequence, name: asked.name)
    }
    let scored = questions.indices.filter { !questions[$0].sequence.scoredPositions.isEmpty }
    let group = pool.ask(scored.map { questions[$0] })
    // Held until then: without the teacher there are no threads that answer.
    return PendingLessons { [self] in
      defer { withExtendedLifetime(self) {} }
      var signals = questions.map { _ in SparseSignal(kind: .derivedTail) }
      for (index, signal) in zip(scored, try group.answers()) { signals[index] = signal }
      return zip(questions, signals).map { Lesson(ScoredSample($0.sequence, signal: $1)) }
    }
  }
}
