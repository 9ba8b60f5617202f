import Diagnostics
import HTTP
import Interchange
import JSON

/// What a server says of itself: which protocol it speaks, which model it has, how long a sequence may be.
struct ServerDescription {
  var format: AnswerFormat
  var model: String
  /// Nil where it does not say.
  var context: Int?

  private static let limit = 1 << 22

  /// Asks a server, as far as the settings do not say.
  ///
  /// - Throws: a `Diagnostic` where it has several models, or none of the name, or cannot be asked.
  init(_ settings: ServedSettings, _ client: ServerClient, _ connection: HTTPConnection) throws {
    let list = try Self.models(client, connection, mayFail: settings.model != nil && settings.wire != .auto)
    func wanted(_ name: String) -> Bool { settings.model.map { $0 == name } ?? true }
    let found = list.filter { wanted($0.name) }
    let names = Self.listed(list.map(\.name))
    guard found.count <= 1 else {
      throw Diagnostic.input(
        "the server \(client.endpoint) has \(list.count) models: \(names)", field: "teacher.served_model",
        remedy: "name one of them as `teacher.served_model`")
    }
    guard let name = found.first?.name ?? (list.isEmpty ? settings.model : nil) else {
      let what = list.isEmpty ? "says nothing of its models" : "has no model '\(settings.model ?? "")', but \(names)"
      throw Diagnostic.input(
        "the server \(client.endpoint) \(what)", field: "teacher.served_model",
        remedy: "name the model as `teacher.served_model`" + (list.isEmpty ? ", and `teacher.protocol`" : ""))
    }
    model = name
    context = settings.context ?? found.first?.context
    format =
      AnswerFormat(rawValue: settings.wire.rawValue) ?? found.first?.owner.flatMap(AnswerFormat.init) ?? .openai
  }

  /// Names for a message: some of them, where there are many.
  private static func listed(_ names: [String]) -> String {
    let first = names.prefix(10).map { String($0.prefix(100)) }.joined(separator: ", ")
    return names.count > 10 ? "\(first) and \(names.count - 10) more" : first
  }

  private struct Model {
    var name: String
    var owner: String?
    var context: Int?
  }

  /// What `/v1/models` lists.
  ///
  /// - Parameter mayFail: Whether a server that has no such list will do.
  private static func models(
    _ client: ServerClient, _ connection: HTTPConnection, mayFail: Bool
  ) throws -> [Model] {
    let body: [UInt8]
    do {
      body = try client.ask(connection, "/v1/models", body: nil, limit: limit, name: "the list of its models")
    } catch let fault as Diagnostic where mayFail && fault.category == .input { return [] }
    do {
      let list = JSONField(try JSONValue.parse(body), file: nil)
      return try list.required("data").elements().map { model in
        Model(
          name: try model.required("id").string(), owner: try? model.optional("owned_by")?.string(),
          context: try? model.optional("max_model_len")?.integer(in: 2...Limits.sequence))
      }
    } catch let fault as Diagnostic {
      if mayFail { return [] }
      throw Diagnostic.input(
        "the server \(client.endpoint) lists its models in no way that is known: \(fault.message)",
        field: "teacher.url",
        remedy: "check the address, or name `teacher.served_model` and `teacher.protocol`")
    }
  }
}
