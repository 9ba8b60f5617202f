import Diagnostics

/// Where an answer came from, for messages: a line of a file, or whatever a caller calls it.
struct AnswerPlace {
  var file: String?
  var line: Int?
  /// What stands before the message where there is no file.
  var name: String?

  /// A diagnostic of category `input` at a member of the answer.
  func fault(_ message: String, field: String? = nil, remedy: String? = nil) -> Diagnostic {
    .input(
      name.map { "the answer to \($0): \(message)" } ?? message, file: file, line: line, field: field, remedy: remedy)
  }

  /// A diagnostic of somebody who knows nothing of this place.
  func located(_ diagnostic: Diagnostic, field: String? = nil) -> Diagnostic {
    var own = diagnostic
    own.file = file ?? own.file
    own.line = line ?? own.line
    own.field = own.field ?? field
    if let name { own.message = "the answer to \(name): \(own.message)" }
    return own
  }
}
