import Diagnostics
import JSON

/// The tokens put around a single sequence, as `post_processor` in a tokenizer file.
struct PostProcessor: Sendable {
  private(set) var prefix: [Int32] = []
  private(set) var suffix: [Int32] = []

  /// Nothing around a sequence.
  init() {}

  /// Reads a post-processor of a tokenizer file.
  ///
  /// - Throws: a `Diagnostic` that names the type where it is not supported.
  init(_ field: JSONField) throws {
    switch try field.required("type").string() {
    case "Sequence":
      for step in try field.required("processors").elements() {
        let inner = try PostProcessor(step)
        prefix = inner.prefix + prefix
        suffix += inner.suffix
      }
    // Concerns offsets alone.
    case "ByteLevel": break
    case "TemplateProcessing": try readTemplate(field)
    case "RobertaProcessing", "BertProcessing":
      prefix = [try Self.id(field.required("cls").elements().last ?? field)]
      suffix = [try Self.id(field.required("sep").elements().last ?? field)]
    case let type: throw field.unsupported(type, "post-processor")
    }
  }

  private mutating func readTemplate(_ field: JSONField) throws {
    let single = try field.required("single")
    var sequences = 0
    for piece in try single.elements() {
      if let special = try piece.optional("SpecialToken") {
        let name = try special.required("id").string()
        let ids = try field.required("special_tokens").required(name).required("ids").elements().map(Self.id)
        if sequences == 0 { prefix += ids } else { suffix += ids }
      } else {
        _ = try piece.required("Sequence")
        sequences += 1
      }
    }
    guard sequences == 1 else { throw single.diagnostic("has \(sequences) sequences, but must have one") }
  }

  private static func id(_ field: JSONField) throws -> Int32 {
    Int32(try field.integer(in: 0...Vocabulary.maximumID))
  }
}
