import Diagnostics
import HTTP
import Interchange
import JSON
import Sequences
import TeacherSignal

/// What is found out of a server before the first row: whether it takes token ids, how much two answers to the same question
/// differ, whether rows lie where they should, and whether it is who it was.
struct SelfTest {
  let asking: Asking
  let noise: Float
  let origin: JSONObject

  private static let name = "the canary"
  /// What requests to an OpenAI-like server hold, as a store keeps it: answers to texts are other answers than those to ids.
  private static let sends = "sends"

  init(
    _ asking: Asking, _ connection: HTTPConnection, _ settings: ServedSettings, _ server: ServerDescription,
    known: JSONObject?, longest: Int
  ) throws {
    let record = try known.map { try Self.record($0, server, settings) }
    let canary = try record?.canary ?? Canary(asking.tokenizer, longest: longest)
    guard canary.sequence.count > 2 else {
      throw Diagnostic.input(
        "the server takes \(longest) tokens, too few for anything", field: "teacher.context",
        remedy: "serve the model with a longer context")
    }
    let (asking, first) = try Self.first(asking, canary, connection, known: known?[Self.sends]?.stringValue)
    let second = try asking.signal(of: canary.sequence, name: Self.name, over: connection)
    var shifts = ShiftGuard()
    shifts.add(first, of: canary.sequence)
    try shifts.check(leastPositions: 16, file: nil)
    let answer = Canary.Answer(first), noise = answer.distance(to: Canary.Answer(second))
    if let record {
      try Canary.check(
        answer, against: record.answer, noise: max(noise, record.noise), server: asking.client.endpoint.description)
    }
    self.asking = asking
    self.noise = noise
    var found: JSONObject = [
      "kind": "served", "protocol": .string(server.format.rawValue), "name": .string(settings.name ?? server.model),
      "model": .string(server.model), "tail": "derived", "canary": .object(canary.record(answer, noise: noise)),
    ]
    if asking.wire.format == .openai { found[Self.sends] = asking.sendsTexts ? "texts" : "token ids" }
    origin = known ?? found
  }

  /// The first answer: with token ids, and where an OpenAI-like server does not take those, with the text. Servers say so in
  /// whatever way; llama-cpp-python answers 500.
  ///
  /// - Parameter known: What it was sent before, which it is sent again; nil where nothing is known.
  private static func first(
    _ asking: Asking, _ canary: Canary, _ connection: HTTPConnection, known: String?
  ) throws -> (Asking, SparseSignal) {
    func ask(_ asking: Asking) throws -> SparseSignal {
      try asking.signal(of: canary.sequence, name: name, over: connection)
    }
    guard asking.wire.format == .openai else { return (asking, try ask(asking)) }
    var ids = asking, texts = asking
    texts.sendsTexts = true
    if let known { return try known == "texts" ? (texts, ask(texts)) : (asking, ask(asking)) }
    ids.isOnlyTried = true
    do { return (asking, try ask(ids)) } catch is Diagnostic { return (texts, try ask(texts)) }
  }

  /// The canary of a store, of the same server by name and protocol.
  private static func record(
    _ known: JSONObject, _ server: ServerDescription, _ settings: ServedSettings
  ) throws -> (canary: Canary, answer: Canary.Answer, noise: Float) {
    let field = JSONField(.object(known), file: "manifest.json")
    let name = settings.name ?? server.model
    for (key, now) in [("protocol", server.format.rawValue), ("name", name)] {
      let then = try field.required(key).string()
      guard then != now else { continue }
      throw Diagnostic.input(
        "what is there was said by another teacher: \(key) is '\(then)' there, '\(now)' now", field: "teacher",
        remedy: "name another folder, or ask the one that began this one (`teacher.name` says what it is called)")
    }
    return try Canary.known(field.required("canary"))
  }
}
